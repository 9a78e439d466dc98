import type { FunctionManifest } from '../../define.ts'
import bestSellers from './best-sellers.ts'
import playingTime from './playing-time.ts'
import soldMost from './sold-most.ts'

/** Functions by the names that they are called by. */
export default {
  best_sellers: bestSellers,
  playing_time: playingTime,
  sold_most: soldMost,
} satisfies FunctionManifest
