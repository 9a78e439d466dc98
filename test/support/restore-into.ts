import { env } from 'cloudflare:workers'
import type { BackupWorld } from '../../db/backups/backup-world.ts'
import { insertRun, nextRun, readRun } from '../../db/backups/backups.ts'
import { BackupRestorer, type RestoreProgress } from '../../db/backups/restore-backup.ts'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { Cluster } from '../../db/cluster/cluster.ts'
import { endPermitsText, permitAllText } from '../../db/system/permits.ts'
import { engineOf, servicesFor } from '../../functions/areas.ts'
import { app } from '../fixture-app/app.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { migrateInWorker, type PlainMigration } from './migrate-in-worker.ts'

const { MIGRATIONS } = env as unknown as { readonly MIGRATIONS: string }
const services = () => servicesFor(engineOf(app))(env as never)
const catalog = buildCatalog(tables)

/** Restores a backup into other databases, by hand; what an earlier test has laid there goes first. */
export async function restoreInto(
  bound: Readonly<Record<string, D1Database>>,
  backup: string,
): Promise<RestoreProgress> {
  const bindings = new Map(Object.entries(bound))
  await migrateInWorker(bindings, catalog, JSON.parse(MIGRATIONS) as PlainMigration[])
  const names = [...catalog.tables.values()].filter(({ kind }) => kind === 'table').map(({ name }) => name)
  // What an earlier test has laid.
  for (const database of bindings.values())
    await database.batch(
      [
        'PRAGMA defer_foreign_keys = ON',
        permitAllText,
        ...[...names, '_atoll_objects', '_atoll_buckets'].map((name) => `DELETE FROM "${name}"`),
        'DELETE FROM _atoll_unique',
        endPermitsText,
      ]
        .filter((text) => database === bound.DB || !/_atoll_(?:objects|buckets)/.test(text))
        .map((text) => database.prepare(text)),
    )
  const cluster = new Cluster(bindings, { migrations: [], catalog, timeoutMs: 60_000 })
  const { backups, backupSigner } = services()
  const world: BackupWorld = {
    session: cluster.open({ reads: false, seen: new Map() }),
    catalog,
    files: backups as NonNullable<typeof backups>,
    signer: backupSigner,
    now: Date.now,
    rest: async () => undefined,
    partLength: 100_000,
    forget: async () => undefined,
  }
  const id = crypto.randomUUID()
  const asked = { backup, into: 'empty', tables: null, value: null, conflict: 'lacking', jobs: false }
  await world.session.primary([insertRun(id, 'restore', asked, 0)])
  const restorer = new BackupRestorer(world)
  for (let run = await nextRun(world.session); run; run = await nextRun(world.session))
    await restorer.step(run)
  return (await readRun(world.session, id))?.progress as RestoreProgress
}
