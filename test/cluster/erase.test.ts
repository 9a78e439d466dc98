import { env } from 'cloudflare:workers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pause } from '../../db/cluster/pause.ts'
import type { ShownBackup, ShownErasure, ShownRun } from '../../functions/backups/area.ts'
import { databases } from '../support/one-and-many.ts'
import { restoreInto } from '../support/restore-into.ts'
import { call, publishableKey, json as read } from '../support/worker-client.ts'

const { EMPTY, EMPTY_1 } = env as unknown as { readonly EMPTY: D1Database; readonly EMPTY_1: D1Database }
const headers = { 'content-type': 'application/json', prefer: 'atomicity=shard, return=representation' }
const post = (path: string, body: object = {}) =>
  call(path, { method: 'POST', headers, body: JSON.stringify(body) })

async function written(path: string, body: object): Promise<readonly { readonly id: number }[]> {
  const answer = await post(path, body)
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  return (await answer.json()) as { id: number }[]
}

async function ended(path: string): Promise<ShownRun> {
  const { id } = (await (await post(path)).json()) as ShownRun
  for (let i = 0; i < 1200; i++) {
    const run = await read<ShownRun>(`/backups/v1/runs/${id}`)
    if (run.state !== 'waiting' && run.state !== 'running') return run
    await pause(50)
  }
  throw new Error(`${path} does not end`)
}

const everywhere = async (text: string, ...values: readonly string[]) =>
  (
    await Promise.all(
      Object.values(databases).map(async (database) => {
        const { results } = await database
          .prepare(text)
          .bind(...values)
          .all()
        return results
      }),
    )
  ).flat()

const [value, stays] = ['960001', '960002']
const own = (id: string) =>
  read<object[]>(`/rest/v1/customers?id=eq.${id}&select=*,invoices(*,invoice_items(*))`)
const erased = async (body: object = {}) =>
  (await (await post('/backups/v1/erase', { value, ...body })).json()) as ShownErasure
const rows = 450
let backup = ''

describe('a distribution value that is erased', { timeout: 180_000 }, () => {
  beforeAll(async () => {
    // Somebody is behind, so that logs are not cut off meanwhile.
    await everywhere("INSERT OR REPLACE INTO _atoll_cursors VALUES ('move:erase-test', 0)")
    await written('/storage/v1/bucket', { id: 'scans', name: 'scans' })
    await call('/storage/v1/object/scans/ada.pdf', { method: 'POST', body: 'scan' })
    for (const id of [value, stays].map(Number)) {
      const about = { id, first_name: 'Ada', last_name: 'L', email: `${id}@erase.test`, fax: 'scans/ada.pdf' }
      await written('/rest/v1/customers', about)
      const [invoice] = await written('/rest/v1/invoices', {
        customer_id: id,
        invoice_date: '2026-01-01',
        total: 1,
      })
      const item = { invoice_id: invoice?.id, customer_id: id, track_id: 1, unit_price: 1, quantity: 1 }
      await written(
        '/rest/v1/invoice_items',
        Array.from({ length: rows }, () => item),
      )
    }
    const database = databases.DB
    for (const state of ['waiting', 'done', 'running'])
      await database
        .prepare(
          "INSERT INTO _atoll_jobs (id, name, queue, state, payload, value, created, finished) VALUES ('DB.' || ?2, 'nobody', 'default', ?2, '{}', ?1, 0, iif(?2 = 'done', 0, NULL))",
        )
        .bind(value, state)
        .run()
    // A job of the app's sends each a receipt.
    for (let i = 0; i < 200; i++) {
      const sent = await everywhere('SELECT 1 FROM receipts WHERE customer_id IN (?1, ?2)', value, stays)
      if (sent.length === 2) break
      await pause(100)
    }
    backup = (await ended('/backups/v1/')).id
  }, 120_000)
  afterAll(() => everywhere("DELETE FROM _atoll_cursors WHERE consumer GLOB 'move:erase-test*'"))

  it('is told beforehand with what would go and what is left, and for the secret key alone', async () => {
    const plan = await erased({ plan: true })
    expect(plan).toMatchObject({
      group: 'customers.id',
      plan: true,
      done: false,
      tables: { customers: 1, invoices: 1, invoice_items: rows, receipts: 1 },
      jobs: { cancelled: 1, running: 1 },
      files: ['scans/ada.pdf'],
    })
    expect(plan.logged).toBe(rows)
    expect(plan.left.join()).toContain('Time Travel')
    expect(await read(`/backups/v1/export/${value}/files`)).toEqual({ files: ['scans/ada.pdf'] })
    expect(await own(value)).toHaveLength(1)
    const refused = await call('/backups/v1/erase', { method: 'POST', headers, body: '{}' }, publishableKey)
    expect(refused.status).toBe(401)
    const unclear = await post('/backups/v1/erase', { value, table: 'tracks' })
    expect([unclear.status, ((await unclear.json()) as { code: string }).code]).toEqual([409, 'BACKUP010'])
  })

  it('is gone from rows, caches, logs, lookups and jobs; others are as they were', async () => {
    const before = await own(stays)
    expect(await own(value)).toHaveLength(1)
    const answer = await erased()
    expect(answer).toMatchObject({
      done: false,
      tables: { customers: 1, invoices: 1, invoice_items: rows, receipts: 1 },
      jobs: { cancelled: 1, running: 1 },
      files: ['scans/ada.pdf'],
      // Of the address, and of the receipt's id.
      entries: 2,
    })
    // Those of the insertions, and of the deletions.
    expect(answer.logged).toBe(2 * rows)
    expect(await own(value)).toEqual([])
    expect(await own(stays)).toEqual(before)
    expect((await call('/storage/v1/object/scans/ada.pdf')).status).toBe(200)
    const logged = await everywhere(
      "SELECT value, operation, old, new FROM _atoll_changes WHERE name = 'invoice_items' AND value IN (?1, ?2)",
      value,
      stays,
    )
    const ofOne = logged.filter((row) => row.value === value)
    expect(ofOne.filter(({ operation }) => operation === 'delete')).toHaveLength(rows)
    expect(ofOne.filter((row) => row.old !== null || row.new !== null)).toEqual([])
    expect(logged.filter((row) => row.value === stays && row.new !== null)).toHaveLength(rows)
    const entries = await everywhere(
      'SELECT value FROM _atoll_unique WHERE value IN (?1, ?2)',
      ...[value, stays].map((id) => `${id}@erase.test`),
    )
    expect(entries).toEqual([{ value: `${stays}@erase.test` }])
    // One that runs goes when it has stopped.
    const jobs = () => everywhere('SELECT state, cancel FROM _atoll_jobs WHERE name = ?1', 'nobody')
    expect(await jobs()).toEqual([{ state: 'running', cancel: 1 }])
    await databases.DB.prepare("UPDATE _atoll_jobs SET state = 'cancelled', finished = 1 WHERE value = ?1")
      .bind(value)
      .run()
    expect(await erased()).toMatchObject({
      done: true,
      logged: 0,
      jobs: { cancelled: 0, running: 0 },
    })
    expect(await jobs()).toEqual([])
  })

  it('is left out by restores of a backup that has it still', async () => {
    const { findings, forgotten } = await restoreInto({ DB: EMPTY, SHARD_1: EMPTY_1 }, backup)
    expect(forgotten).toBe(rows + 3)
    expect(findings.filter(({ isRight }) => !isRight)).toEqual([])
    expect(findings.map(({ check }) => check)).toContain('erased values')
    const left = async (id: string) => {
      const [one, other] = await Promise.all(
        [EMPTY, EMPTY_1].map((database) =>
          database
            .prepare('SELECT count(*) AS n FROM invoice_items WHERE customer_id = ?1')
            .bind(id)
            .first<number>('n'),
        ),
      )
      return Number(one) + Number(other)
    }
    expect([await left(value), await left(stays)]).toEqual([0, rows])
  })

  it('is forgotten by backups that are kept, and they are still right', async () => {
    const shown = async () => {
      const { backups } = await read<{ backups: readonly ShownBackup[] }>('/backups/v1/')
      return backups.find(({ id }) => id === backup) as ShownBackup
    }
    const before = await shown()
    const { forgot } = (await (await post('/backups/v1/prune', { erased: true })).json()) as {
      forgot: readonly object[]
    }
    // The rows, and the jobs that were not over.
    expect(forgot).toEqual([{ id: backup, rows: rows + 5, refused: null }])
    const after = await shown()
    expect([after.refused, before.rows - after.rows]).toEqual([null, rows + 5])
    const verified = await ended(`/backups/v1/${backup}/verify`)
    expect([verified.state, verified.findings.filter(({ isRight }) => !isRight)]).toEqual(['done', []])
    const restored = await restoreInto({ DB: EMPTY, SHARD_1: EMPTY_1 }, backup)
    expect([restored.forgotten, restored.findings.filter(({ isRight }) => !isRight)]).toEqual([0, []])
    expect(await (await post('/backups/v1/prune', { erased: true })).json()).toEqual({
      pruned: [],
      links: [],
      forgot: [],
    })
  })
})
