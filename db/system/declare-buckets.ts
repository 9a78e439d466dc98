import type { StorageDeclarations } from '../catalog/storage-policy.ts'
import { makeUlid } from '../slots/slots.ts'
import type { MigrationDatabase } from '../sql/migration-database.ts'

/** Makes the buckets that the app declares, and sets what it says of them. Others are left alone. */
export async function declareBuckets(
  database: MigrationDatabase,
  declarations: StorageDeclarations,
): Promise<void> {
  const statements = Object.entries(declarations).map(([id, options]) =>
    database
      .prepare(
        `INSERT INTO _atoll_buckets (id, public, size_limit, mime_types, version, created, updated)
         VALUES (?, ?, ?, ?, ?, unixepoch() * 1000, unixepoch() * 1000)
         ON CONFLICT DO UPDATE SET public = excluded.public, size_limit = excluded.size_limit, mime_types = excluded.mime_types`,
      )
      .bind(
        id,
        options.public ? 1 : 0,
        options.maxBytes ?? null,
        options.mimeTypes ? JSON.stringify(options.mimeTypes) : null,
        makeUlid(),
      ),
  )
  if (statements.length > 0) await database.batch(statements)
}
