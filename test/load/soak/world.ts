/** What clients of a soak share: whom they ask, what they were told, and which rows they use. */
import type { Asker } from './asker.ts'
import type { Ledger } from './ledger.ts'
import type { RowOracle } from './row-oracle.ts'

export interface World {
  readonly asker: Asker
  readonly oracle: RowOracle
  readonly ledger: Ledger
  /** Headers of the secret key, and of a customer who has signed in. */
  readonly secret: Readonly<Record<string, string>>
  readonly customer: (id: number) => Readonly<Record<string, string>>
  /** An invoice for each of some customers, who have slots on all shards. */
  readonly invoices: ReadonlyMap<number, number>
}

/** Rows that are written and read: customers of all shards, whose rows must be current, and genres, which may be a second old. */
export const customers = Array.from({ length: 24 }, (_, i) => i + 1)
export const genres = [1, 2, 3, 4, 5, 6]
export const genreStaleMs = 1000
/** Numbers of tracks that the run makes and takes away. */
export const firstTrack = 500_000
