/**
 * `npm run load -- backups --rows N`: a backup of many rows and some files of the fixture app, how long it takes, what lies in the bucket then, what workerd holds
 * meanwhile, and what a reader and a writer pay for it; an increment after one row in a hundred was changed; then a restore of them beside what is there, after they
 * were deleted. It gives up after 20 minutes.
 * @module
 */
import type { ShownBackup, ShownRun } from '../../functions/backups/area.ts'
import { childProcesses } from '../../functions/local/state-lock.ts'
import { secretKey, startTestServer } from '../support/local-server.ts'
import { isolateMemoryOf } from './isolate-memory.ts'
import type { MovingSettings } from './moving.ts'
import { memoryOf, peakMemoryOf } from './process-memory.ts'

const defaultRows = 100_000
const fileCount = 200
const fileBytes = 20_000
const longestMs = 20 * 60_000
const headers = { apikey: secretKey, 'content-type': 'application/json' }

export async function runBackups({
  rows: wanted = defaultRows,
}: Pick<MovingSettings, 'rows'>): Promise<void> {
  const end = performance.now() + longestMs
  const server = await startTestServer({ isInspected: true })
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
    const writeOnce = async () => {
      const start = performance.now()
      const answer = await fetch(`${server.address}/rest/v1/customers?id=eq.1`, {
        method: 'PATCH',
        headers,
        body: JSON.stringify({ fax: String(start) }),
      })
      if (answer.status !== 204) throw new Error(`a write was answered ${answer.status}`)
      return performance.now() - start
    }
    for (let i = 0; i < fileCount; i++) {
      const answer = await fetch(`${server.address}/storage/v1/object/covers/load/${i}.png`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'image/png' },
        body: new Uint8Array(fileBytes).fill(i),
      })
      if (!answer.ok) throw new Error(`a file was answered ${answer.status}: ${await answer.text()}`)
    }
    const median = (times: readonly number[]) => times.toSorted((a, b) => a - b)[times.length >> 1] ?? 0
    const alone = { reads: [] as number[], writes: [] as number[] }
    // The bundler is a child, too.
    const [workerd = 0] = childProcesses().toSorted((a, b) => memoryOf(b) - memoryOf(a))
    const before = memoryOf(workerd)
    /** Most that the Worker's isolate has held, in MB, its Durable Objects' and garbage included. */
    let isolateMb = 0
    let lookedAt = 0
    const lookAtIsolate = async () => {
      if (performance.now() - lookedAt < 1000) return
      lookedAt = performance.now()
      const { used, buffers } = await isolateMemoryOf(await server.miniflare.getInspectorURL(), 'atoll')
      isolateMb = Math.max(isolateMb, (used + buffers) / 1e6)
    }
    const meanwhile = { reads: [] as number[], writes: [] as number[] }
    const runOf = async (path: string, body: object = {}) => {
      const start = performance.now()
      const asked = (await (await send(path, body)).json()) as ShownRun
      for (;;) {
        meanwhile.reads.push(await readOnce())
        meanwhile.writes.push(await writeOnce())
        await lookAtIsolate()
        if (performance.now() > end) throw new Error('it takes too long, and is given up')
        const run = (await (
          await fetch(`${server.address}/backups/v1/runs/${asked.id}`, { headers })
        ).json()) as ShownRun
        if (run.state !== 'waiting' && run.state !== 'running')
          return { run, seconds: (performance.now() - start) / 1000 }
        await new Promise((done) => setTimeout(done, 50))
      }
    }
    const made = await runOf('/backups/v1/', { increment: true })
    const backedUp = { reads: [...meanwhile.reads], writes: [...meanwhile.writes] }
    const { backups } = (await (await fetch(`${server.address}/backups/v1/`, { headers })).json()) as {
      backups: readonly ShownBackup[]
    }
    const [backup] = backups
    console.log(`${rows} rows more, ${backup?.rows} rows of ${databases.size} databases in all`)
    console.log(
      `backup: ${made.run.state} after ${made.seconds.toFixed(1)} s; ${backup?.files} files, ${((backup?.bytes ?? 0) / 1e6).toFixed(1)} MB`,
    )
    console.log(`memory of the isolate: ${isolateMb.toFixed(0)} MB at most, garbage included`)
    console.log(`memory of workerd: ${before} MB before, ${peakMemoryOf(workerd)} MB at most`)
    const verified = await runOf(`/backups/v1/${backup?.id}/verify`)
    console.log(`verified: ${verified.run.state} after ${verified.seconds.toFixed(1)} s`)
    // By now the relays have done what so many new rows gave them to do.
    for (let i = 0; i < 60; i++) {
      alone.reads.push(await readOnce())
      alone.writes.push(await writeOnce())
    }
    for (const kind of ['reads', 'writes'] as const) {
      const [before, then] = [median(alone[kind]), median(backedUp[kind])]
      console.log(
        `${kind}: ${before.toFixed(1)} ms alone, ${then.toFixed(1)} ms meanwhile, ${(then / before).toFixed(2)} times (medians of ${alone[kind].length} and ${backedUp[kind].length})`,
      )
    }
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
    console.log(`memory of the isolate: ${isolateMb.toFixed(0)} MB at most, garbage included`)
    console.log(`memory of workerd at most: ${peakMemoryOf(workerd)} MB`)
  } finally {
    await server.stop()
  }
}
