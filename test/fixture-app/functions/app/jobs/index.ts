import type { JobManifest } from '../../define.ts'
import receipt from './receipt.ts'
import refreshArtistSales from './refresh-artist-sales.ts'
import rollUpSales from './roll-up-sales.ts'

/** What happens later. */
export default [receipt, refreshArtistSales, rollUpSales] satisfies JobManifest
