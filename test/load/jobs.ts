/**
 * `npm run load -- jobs`: what the change log adds to an insert, what a job for each insert costs, and how many jobs a second
 * are run when many wait.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { changeTriggerPrefix } from '../../db/changes/change-triggers.ts'
import { migrateCluster } from '../../db/migrate/migrate-cluster.ts'
import type { LocalServer } from '../../functions/local/serve.ts'
import { startFixture } from '../support/local-server.ts'
import { compare, type Scenario, type Settings, secret } from './compare.ts'
import tables, { migrations } from './jobs-tables.ts'

const waiting = 2000

const body = (i: number) =>
  JSON.stringify({ account: `a${i % 100}`, title: `an order of ${i} things`, amount: i, note: 'to be sent' })

const insert = (table: string, name: string) => ({
  name,
  path: () => `/rest/v1/${table}`,
  write: body,
  method: 'POST' as const,
})

const scenarios: readonly Scenario[] = [
  {
    name: 'insert of a row',
    differ: true,
    contenders: [
      insert('working', 'logged, a job each'),
      insert('valued', 'logged with values'),
      insert('logged', 'logged'),
      insert('unlogged', 'without a log'),
    ],
  },
]

export async function runJobs(settings: Settings): Promise<void> {
  const server = await startFixture({
    port: 0,
    persistTo: null,
    databases: ['DB'],
    isWhole: true,
    isBare: true,
    entry: new URL('jobs-worker.ts', import.meta.url).pathname,
    variables: { ATOLL_SECRET_KEY: secret.apikey, ATOLL_RATE_LIMITS: 'off' },
  })
  try {
    await migrateCluster(await server.databases(), buildCatalog(tables), migrations)
    const database = await server.database('DB')
    for (const operation of ['insert', 'update', 'delete']) {
      await database.prepare(`DROP TRIGGER "${changeTriggerPrefix}unlogged_${operation}"`).run()
    }
    await compare((await server.addressOf()).origin, scenarios, settings)
    await settled(database)
    console.log(`\n${waiting} jobs that wait, from the first that is sent until the last is done`)
    for (const name of ['nothing', 'effect']) {
      console.log(
        `  ${name === 'nothing' ? 'that do nothing' : 'with an effect, once'}: ${await drain(server, database, name)} jobs/s`,
      )
    }
  } finally {
    await server.stop()
  }
}

/** Jobs a second. */
async function drain(server: LocalServer, database: D1Database, name: string): Promise<number> {
  await database
    .prepare(
      `INSERT INTO _atoll_jobs (id, name, queue, state, due, payload, created)
       SELECT printf('DB.%026d', value), ?1, 'default', 'waiting', 1, json_object('n', value), 1 FROM
       (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < ${waiting}) SELECT value FROM n)`,
    )
    .bind(name)
    .run()
  const start = performance.now()
  const sent = await fetch(new URL('/jobs/v1/jobs', server.url), {
    method: 'POST',
    headers: { ...secret, 'Content-Type': 'application/json' },
    body: JSON.stringify({ name, input: { n: 0 } }),
  })
  if (!sent.ok) throw new Error(`the jobs were not started: ${sent.status}`)
  await settled(database)
  const seconds = (performance.now() - start) / 1000
  const dead = await database.prepare('SELECT count(*) AS n FROM _atoll_dead_letters').first<number>('n')
  if (dead !== 0) throw new Error(`${dead} jobs were given up`)
  await database.prepare('DELETE FROM _atoll_jobs').run()
  return Math.round((waiting + 1) / seconds)
}

/** Waits until no change and no job waits, for three minutes at most. */
async function settled(database: D1Database): Promise<void> {
  for (let i = 0; i < 1800; i++) {
    const left = await database
      .prepare(
        `SELECT (SELECT count(*) FROM _atoll_jobs WHERE finished IS NULL) + (SELECT count(*) FROM _atoll_changes
         WHERE sequence > ifnull((SELECT sequence FROM _atoll_cursors WHERE consumer = 'jobs'), 0)) AS n`,
      )
      .first<number>('n')
    if (left === 0) return
    await sleep(100)
  }
  throw new Error('jobs did not come to an end')
}
