import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { UsageError } from '../../db/doors/usage-error.ts'
import { appMigrations, readMigrations } from '../../db/migrate/migration-files.ts'
import { checkGenerated } from '../../db/migrate/schema-drift.ts'
import type { App } from '../areas.ts'

let loads = 0

/**
 * The app's files as they are on disk now.
 *
 * @throws MigrationError when the schema says what no migration makes
 */
export async function loadApp(root: string): Promise<App> {
  const { app } = await loadFresh<{ app: App }>(root, join('functions', 'join-app.ts'))
  checkGenerated(await loadFresh(root, join('db', 'app', 'schema.ts')), readMigrations(appMigrations))
  return app
}

/** Node keeps what it has imported, so each load bundles the files anew under a name of its own. */
async function loadFresh<Exports>(root: string, file: string): Promise<Exports> {
  const outfile = join(root, '.wrangler', 'atoll', `app-${process.pid}-${loads++}.mjs`)
  await build({
    entryPoints: [join(root, file)],
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    outfile,
    logLevel: 'silent',
  })
  try {
    return (await import(pathToFileURL(outfile).href)) as Exports
  } catch (error) {
    throw new UsageError(`The app cannot be read: ${error instanceof Error ? error.message : error}`)
  } finally {
    rmSync(outfile)
  }
}
