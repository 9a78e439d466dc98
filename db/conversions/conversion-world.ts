import type { Catalog } from '../catalog/catalog.ts'
import type { TableDeclarations } from '../catalog/declarations.ts'
import type { StorageDeclarations } from '../catalog/storage-policy.ts'
import type { ClusterDatabases } from '../migrate/settle-cluster.ts'
import type { MigrationDatabase } from '../sql/migration-database.ts'
import type { BoundStatement } from '../sql/statement.ts'

/** What a conversion works with. */
export interface ConversionWorld {
  /** `DB` first; asked directly, as nobody else may ask while tables change. */
  readonly databases: ClusterDatabases
  /** The app's tables as they are declared. */
  readonly declarations: TableDeclarations
  readonly declared: Catalog
  readonly storage: StorageDeclarations
  /** Milliseconds since 1970. */
  now(): number
  /** Lets nobody be served any more what was cached when tables lay elsewhere. @param epoch the map's */
  renew(epoch: number): Promise<void>
}

/** The primary database, asked directly. */
export const primaryOf = ({ databases }: ConversionWorld) => databases.get('DB') as MigrationDatabase

/** Runs statements as one transaction; nothing for none. */
export async function run(database: MigrationDatabase, statements: readonly BoundStatement[]): Promise<void> {
  if (statements.length === 0) return
  await database.batch(
    statements.map(({ text, parameters }) => database.prepare(text).bind(...(parameters as string[]))),
  )
}
