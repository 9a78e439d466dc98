/**
 * `npm run db:migrate`: brings every database up to the schema: Atoll's own objects, the app's migrations, full-text
 * indexes, the shard map and the copies of reference tables. What is done already is left alone, so it can be run again
 * after a failure. `-- --remote` does it where the databases are deployed.
 * @module
 */
import { parseArgs } from 'node:util'
import storage from './app/storage.ts'
import tables from './app/tables.ts'
import { buildCatalog } from './catalog/build-catalog.ts'
import { migrateCluster } from './migrate-cluster.ts'
import { appMigrations, readMigrations } from './migrations.ts'
import { openDatabases } from './open-databases.ts'

const { values } = parseArgs({
  options: { 'persist-to': { type: 'string' }, remote: { type: 'boolean', default: false } },
})
const { databases, close } = await openDatabases({ remote: values.remote, persistTo: values['persist-to'] })
try {
  const migrations = readMigrations(appMigrations)
  const reports = await migrateCluster(databases, buildCatalog(tables), migrations, storage)
  for (const { database, applied, done } of reports) {
    const lines = [...applied.map((name) => `applied ${name}`), ...done]
    for (const line of lines.length === 0 ? ['nothing to do'] : lines) console.log(`${database}: ${line}`)
  }
} finally {
  await close()
}
