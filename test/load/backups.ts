/**
 * `npm run load -- backups`: a backup of many rows of the fixture app, how long it takes, what lies in the bucket then, what workerd holds meanwhile, and
 * what a reader pays for it; an increment after one row in a hundred was changed; then a restore of them beside what is there, after they were deleted.
 * @module
 */
import type { ShownBackup, ShownRun } from '../../functions/backups/area.ts'
import { childProcesses } from '../../functions/local/state-lock.ts'
import { secretKey, startTestServer } from '../support/local-server.ts'
import { memoryOf, peakMemoryOf } from './process-memory.ts'

const wanted = Number(process.env.ATOLL_ROWS ?? 100_000)
const headers = { apikey: secretKey, 'content-type': 'application/json' }

export async function runBackups(): Promise<void> {
  const server = await startTestServer()
  try {
    const databases = await server.databases()
    const perDatabase = Math.ceil(wanted / databases.size)
    let rows = 0
    for (const [name, database] of databases) {
      const own = await database
        .prepare('SELECT id, customer_id FROM invoices LIMIT 1')
        .first<{ id: number; customer_id: number }>()
      if (!own) continue
      const base = 100_000_000 + [...databases.keys()].indexOf(name) * 10_000_000
      for (let from = 0; from < perDatabase; from += 10_000) {
        const count = Math.min(10_000, perDatabase - from)
        await database.batch([
          database.prepare("INSERT OR IGNORE INTO _atoll_permits (name, value, token) VALUES ('*', '', '')"),
          database
            .prepare(
              'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) INSERT INTO invoice_items (id, invoice_id, track_id, unit_price, quantity, customer_id) SELECT ?2 + i, ?3, 1 + i % 1000, i / 100.0, i % 7, ?4 FROM n',
            )
            .bind(count, base + from, own.id, own.customer_id),
          database.prepare('DELETE FROM _atoll_permits'),
        ])
        rows += count
      }
    }
    const send = (path: string, body: object = {}) =>
      fetch(`${server.address}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    const readOnce = async () => {
      const start = performance.now()
      await (
        await fetch(`${server.address}/rest/v1/customers?select=*&limit=20`, {
          headers: { ...headers, 'cache-control': 'no-cache' },
        })
      ).text()
      return performance.now() - start
    }
    const median = (times: readonly number[]) => times.toSorted((a, b) => a - b)[times.length >> 1] ?? 0
    const alone: number[] = []
    for (let i = 0; i < 60; i++) alone.push(await readOnce())
    // The bundler is a child, too.
    const [workerd = 0] = childProcesses().toSorted((a, b) => memoryOf(b) - memoryOf(a))
    const before = memoryOf(workerd)
    const meanwhile: number[] = []
    const runOf = async (path: string, body: object = {}) => {
      const start = performance.now()
      const asked = (await (await send(path, body)).json()) as ShownRun
      for (;;) {
        meanwhile.push(await readOnce())
        const run = (await (
          await fetch(`${server.address}/backups/v1/runs/${asked.id}`, { headers })
        ).json()) as ShownRun
        if (run.state !== 'waiting' && run.state !== 'running')
          return { run, seconds: (performance.now() - start) / 1000 }
        await new Promise((done) => setTimeout(done, 50))
      }
    }
    const made = await runOf('/backups/v1/', { increment: true })
    const { backups } = (await (await fetch(`${server.address}/backups/v1/`, { headers })).json()) as {
      backups: readonly ShownBackup[]
    }
    const [backup] = backups
    console.log(`${rows} rows more, ${backup?.rows} rows of ${databases.size} databases in all`)
    console.log(
      `backup: ${made.run.state} after ${made.seconds.toFixed(1)} s; ${backup?.files} files, ${((backup?.bytes ?? 0) / 1e6).toFixed(1)} MB`,
    )
    console.log(
      `a read of 20 rows: ${median(alone).toFixed(1)} ms alone, ${median(meanwhile).toFixed(1)} ms meanwhile (medians of ${alone.length} and ${meanwhile.length})`,
    )
    console.log(`memory of workerd: ${before} MB before, ${peakMemoryOf(workerd)} MB at most`)
    const verified = await runOf(`/backups/v1/${backup?.id}/verify`)
    console.log(`verified: ${verified.run.state} after ${verified.seconds.toFixed(1)} s`)
    for (const database of databases.values())
      await database
        .prepare('UPDATE invoice_items SET quantity = quantity + 1 WHERE id > 100000000 AND id % 100 = 0')
        .run()
    const added = await runOf('/backups/v1/', { increment: true })
    const [increment] = (
      (await (await fetch(`${server.address}/backups/v1/`, { headers })).json()) as {
        backups: readonly ShownBackup[]
      }
    ).backups
    console.log(
      `increment: ${added.run.state} after ${added.seconds.toFixed(1)} s; ${increment?.kind} of ${increment?.rows} rows, ${increment?.files} files, ${((increment?.bytes ?? 0) / 1e6).toFixed(2)} MB`,
    )
    const verifiedChain = await runOf(`/backups/v1/${increment?.id}/verify`)
    console.log(
      `verified with its chain: ${verifiedChain.run.state} after ${verifiedChain.seconds.toFixed(1)} s; wrong: ${verifiedChain.run.findings.filter(({ isRight }) => !isRight).length}`,
    )
    for (const database of databases.values())
      await database.prepare('DELETE FROM invoice_items WHERE id > 100000000').run()
    const restored = await runOf(`/backups/v1/${backup?.id}/restore`, {
      into: 'beside',
      tables: ['invoice_items'],
    })
    const wrong = restored.run.findings.filter(({ isRight }) => !isRight)
    console.log(
      `restored beside: ${restored.run.state} after ${restored.seconds.toFixed(1)} s, ${restored.run.rows} rows looked at; wrong: ${JSON.stringify(wrong)}`,
    )
    console.log(`memory of workerd at most: ${peakMemoryOf(workerd)} MB`)
  } finally {
    await server.stop()
  }
}
