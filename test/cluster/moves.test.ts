import { env } from 'cloudflare:workers'
import { afterAll, describe, expect, it } from 'vitest'
import { pause } from '../../db/cluster/pause.ts'
import { endPermitsText, permitAllText } from '../../db/system/permits.ts'
import { engineOf, servicesFor } from '../../functions/areas.ts'
import { MoverRounds } from '../../functions/shards/area.ts'
import { app } from '../fixture-app/app.ts'
import { firstRange } from '../support/move-slots.ts'
import { askMany, askOver, databases } from '../support/one-and-many.ts'
import { call, publishableKey, json as read } from '../support/worker-client.ts'

interface Shown {
  readonly id: string
  readonly state: string
  readonly error: string | null
  readonly pauses: { readonly count: number; readonly longestMs: number }
}

type Name = keyof typeof databases

const send = (path: string, body: object = {}, method = 'POST') =>
  call(`/shards/v1${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(method === 'POST' ? { body: JSON.stringify(body) } : {}),
  })

/** Waits until nothing moves any more; the mover is the Worker's own. */
async function settled(): Promise<readonly Shown[]> {
  for (let i = 0; i < 2000; i++) {
    const { moves } = await read<{ moves: readonly Shown[] }>('/shards/v1/moves')
    if (!moves.some(({ state }) => ['waiting', 'running', 'cancelling'].includes(state))) return moves
    await pause(50)
  }
  throw new Error('moves do not end')
}

const all = async (table: string) => (await askMany(`${table}?order=id&limit=100000`)).json()
const countOn = (name: Name, table: string) =>
  databases[name].prepare(`SELECT count(*) AS n FROM ${table}`).first<number>('n')

describe('moves of slots', { timeout: 120_000 }, () => {
  it('are for the secret key alone', async () => {
    const refused = await call('/shards/v1/', {}, publishableKey)
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([401, 'SHARD030'])
  })

  it('drain a database, of which nothing is left, and bring all back', async () => {
    const tables = ['customers', 'invoices', 'invoice_items']
    const before = await Promise.all(tables.map(all))
    const range = await firstRange('SHARD_1')
    const logged = await databases.SHARD_2.prepare('SELECT count(*) AS n FROM _atoll_changes').first('n')
    const drained = await send('/drain', { database: 'SHARD_1', to: ['SHARD_2'] })
    expect(drained.status).toBe(202)
    expect((await settled()).map(({ state, error }) => [state, error])).toEqual([['done', null]])
    expect(await Promise.all(tables.map((table) => countOn('SHARD_1', table)))).toEqual([0, 0, 0])
    expect(await Promise.all(tables.map(all))).toEqual(before)
    // The change log tells nothing of it.
    expect(await databases.SHARD_2.prepare('SELECT count(*) AS n FROM _atoll_changes').first('n')).toBe(
      logged,
    )
    const epoch = await databases.SHARD_1.prepare('SELECT epoch FROM _atoll_shard').first('epoch')
    expect(epoch).toBeGreaterThan(0)
    const back = await send('/moves', { slots: `${range.first}-${range.last}`, to: 'SHARD_1' })
    expect(back.status).toBe(202)
    await settled()
    expect(await Promise.all(tables.map(all))).toEqual(before)
    expect(await countOn('SHARD_1', 'customers')).toBeGreaterThan(0)
  })

  it('take one value to a database of its own', async () => {
    const [row] = (await (await askMany('customers?select=id,last_name&limit=1')).json()) as {
      id: number
      last_name: string
    }[]
    expect((await send('/isolate', { value: row?.id, to: 'SHARD_3' })).status).toBe(202)
    await settled()
    const owner = await databases.SHARD_3.prepare('SELECT 1 AS n FROM customers WHERE id = ?')
      .bind(row?.id)
      .first('n')
    expect(owner).toBe(1)
    const found = await askMany(`customers?select=id&id=eq.${row?.id}`)
    expect(await found.json()).toEqual([{ id: row?.id }])
  })

  it('go back when they are cancelled, with what was handed over', async () => {
    const owners = async () => {
      const { databases: found } = await read<{ databases: { name: string; slots: string }[] }>('/shards/v1/')
      return found.map(({ name, slots }) => [name, slots])
    }
    const before = await owners()
    const range = await firstRange('SHARD_2')
    // Ranges beside each other are pieces of their own: time to cancel between them.
    const slots = Array.from({ length: 60 }, (_, i) => range.first + i).join(',')
    const asked = (await (await send('/moves', { slots, to: 'SHARD_1' })).json()) as {
      moves: readonly Shown[]
    }
    const id = asked.moves[0]?.id
    const now = () => read<Shown>(`/shards/v1/moves/${id}`)
    while ((await now()).pauses.count === 0) await pause(5)
    expect((await send(`/moves/${id}/cancel`)).status).toBe(202)
    expect((await settled()).find((one) => one.id === id)).toMatchObject({
      state: 'cancelled',
      back: { state: 'done' },
    })
    expect(await owners()).toEqual(before)
    // Once is enough.
    expect((await send(`/moves/${id}/cancel`)).status).toBe(409)
  })

  it('find rows that are left where their slots are not, and keep their database', async () => {
    const strays = async (name: Name) =>
      read<{ found: number; rows: object[]; next: null }>(`/shards/v1/databases/${name}/strays`)
    expect(await strays('SHARD_1')).toMatchObject({ found: 0, rows: [], next: null })
    // Somebody's, who keeps no rules.
    const id = await databases.DB.prepare('SELECT id FROM customers LIMIT 1').first<number>('id')
    await databases.SHARD_1.batch([
      databases.SHARD_1.prepare(permitAllText),
      databases.SHARD_1.prepare(
        "INSERT INTO customers (id, first_name, last_name, email) VALUES (?, 'A', 'B', 'c@d.test')",
      ).bind(id),
      databases.SHARD_1.prepare(endPermitsText),
    ])
    try {
      expect(await strays('SHARD_1')).toMatchObject({
        found: 1,
        rows: [{ table: 'customers', key: [id], owner: 'DB' }],
      })
    } finally {
      await databases.SHARD_1.prepare("DELETE FROM customers WHERE email = 'c@d.test'").run()
    }
  })

  it('refuse what cannot be, with the reason', async () => {
    const code = async (answer: Response) => [answer.status, ((await answer.json()) as { code: string }).code]
    expect(await code(await send('/moves', { slots: '0-99999', to: 'SHARD_1' }))).toEqual([400, 'SHARD031'])
    expect(await code(await send('/moves', { slots: '0', to: 'SHARD_9' }))).toEqual([409, 'SHARD034'])
    expect(await code(await send('/moves/none/cancel'))).toEqual([404, 'SHARD032'])
    expect(await code(await send('/databases/SHARD_2', {}, 'DELETE'))).toEqual([409, 'SHARD034'])
    const [{ id }] = (await settled()) as [Shown]
    expect(await code(await send(`/moves/${id}/cancel`))).toEqual([409, 'SHARD033'])
  })

  it('plan nothing when databases bear about the same', async () => {
    const { moves } = await read<{ moves: readonly object[] }>('/shards/v1/plan?threshold=1')
    expect(moves).toEqual([])
    const drained = await read<{ moves: readonly object[] }>('/shards/v1/plan?drain=SHARD_1')
    const known = {
      from: 'SHARD_1',
      bytes: expect.any(Number),
      seconds: expect.any(Number),
      longestPauseMs: expect.any(Number),
    }
    expect(drained.moves).toMatchObject([known, known, known])
    // Nobody counts here.
    expect((await call('/shards/v1/plan?by=load')).status).toBe(409)
  })
})

const base = 930_000
const headers = { 'Content-Type': 'application/json', Prefer: 'atomicity=shard' }
const isolates = [askOver(databases), askOver(databases)]

afterAll(async () => {
  for (const table of ['invoices', 'customers'])
    await isolates[0]?.(`${table}?id=gte.${base}`, { method: 'DELETE', headers })
})

describe('in the middle of a load', { timeout: 120_000 }, () => {
  it('slots move to and fro, and no write is lost or doubled, no read misses a row', async () => {
    let running = true
    let next = base
    const known = new Map<number, number>()
    const wrong: string[] = []
    const ask = async (isolate: (typeof isolates)[number], path: string, init?: RequestInit) => {
      for (;;) {
        const response = await isolate(path, init)
        if (response.status !== 503 || !running) return response
        await pause(20)
      }
    }
    const write = async (isolate: (typeof isolates)[number]) => {
      while (running) {
        await pause(10)
        const id = next++
        const row = { id, first_name: 'A', last_name: 'B', email: `${id}@moves.test`, fax: '0' }
        const made = await ask(isolate, 'customers', { method: 'POST', headers, body: JSON.stringify(row) })
        if (made.status !== 201 && running) wrong.push(`insert of ${id}: ${made.status} ${await made.text()}`)
        if (made.status === 201) known.set(id, 0)
        const old = base + ((id * 7) % (id - base + 1))
        const fax = known.get(old)
        if (fax === undefined) continue
        known.delete(old)
        const body = JSON.stringify({ fax: String(fax + 1) })
        const changed = await ask(isolate, `customers?email=eq.${old}@moves.test`, {
          method: 'PATCH',
          headers,
          body,
        })
        if (changed.status !== 204 && running)
          wrong.push(`update of ${old}: ${changed.status} ${await changed.text()}`)
        if (changed.status === 204) known.set(old, fax + 1)
      }
    }
    const readAll = async (isolate: (typeof isolates)[number]) => {
      while (running) {
        await pause(10)
        const ids = [...known.keys()]
        const response = await ask(isolate, `customers?id=gte.${base}&select=id`)
        if (response.status !== 200) continue
        const found = ((await response.json()) as { id: number }[]).map(({ id }) => id)
        const lost = ids.filter((id) => !found.includes(id))
        if (lost.length > 0 || new Set(found).size < found.length)
          wrong.push(`of all: lost ${lost}, ${found.length - new Set(found).size} doubled`)
      }
    }
    const load = Promise.all(isolates.flatMap((isolate) => [write(isolate), readAll(isolate)]))
    const range = await firstRange('SHARD_1')
    const middle = range.first + ((range.last - range.first) >> 1)
    let longest = 0
    try {
      for (const [slots, to] of [
        [`${range.first}-${middle}`, 'SHARD_2'],
        [`${middle + 1}-${range.last}`, 'DB'],
        [`${range.first}-${range.last}`, 'SHARD_1'],
      ] as const) {
        await pause(200)
        const asked = await send('/moves', { slots, to })
        expect(asked.status).toBe(202)
        // Another mover at the same time: the younger one's writes count.
        const engine = engineOf(app)
        await new MoverRounds().run(servicesFor(engine)(env as never), engine, async () => undefined)
        const moves = (await settled()).filter(({ state }) => state !== 'cancelled')
        for (const { state, error, pauses } of moves) {
          expect([state, error]).toEqual(['done', null])
          longest = Math.max(longest, pauses.longestMs)
        }
      }
    } finally {
      running = false
    }
    await load
    console.info(`longest pause of a piece: ${longest} ms`)
    expect(wrong).toEqual([])
    expect(known.size).toBeGreaterThan(10)
    const rows = (await (await askMany(`customers?id=gte.${base}&select=id,fax`)).json()) as {
      id: number
      fax: string
    }[]
    const there = new Map(rows.map(({ id, fax }) => [id, Number(fax)]))
    for (const [id, fax] of known) expect([id, there.get(id)]).toEqual([id, fax])
  })
})
