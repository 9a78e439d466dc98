import type { FunctionManifest } from '../../define.ts'
import bestSellers from './best-sellers.ts'
import playingTime from './playing-time.ts'

/** Functions by the names that they are called by. */
export default { best_sellers: bestSellers, playing_time: playingTime } satisfies FunctionManifest
