import type { Catalog } from '../../../db/catalog/catalog.ts'
import type { Snapshot } from './drizzle-kit.ts'
import type { Model } from './model.ts'
import type { References } from './oracle.ts'

/** A migration as the migrator reads it from disk. */
export interface EvolvedMigration {
  readonly name: string
  readonly sql: string
  readonly snapshot: Snapshot
}

export interface State {
  model: Model
  references: References
  snapshot: Snapshot
  migrations: EvolvedMigration[]
  catalog: Catalog
}
