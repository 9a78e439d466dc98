import { beforeEach, describe, expect, it, vi } from 'vitest'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { Cluster } from '../../db/cluster/cluster.ts'
import type { Seen } from '../../db/restores/positions.ts'
import { evenRanges, ownerOf } from '../../db/slots/shard-map.ts'
import { keySlot, slotOf } from '../../db/slots/slots.ts'
import { lookAfterRestores, type RestoreMemory } from '../../functions/databases/restores.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { firstRange, moveSlots } from '../support/move-slots.ts'
import { askMany, askOver, databases } from '../support/one-and-many.ts'
import { restoreSnapshot, type Snapshot, takeSnapshot } from '../support/restore-database.ts'

type Name = keyof typeof databases
const names = Object.keys(databases) as Name[]
const catalog = buildCatalog(tables)
const json = { 'Content-Type': 'application/json' }
const map = { epoch: 1, ranges: evenRanges(names), epochs: new Map() }
const shardOf = (id: number) => ownerOf(map, slotOf(String(id)))
const told: { readonly kind: string; readonly database?: string; readonly note?: Record<string, unknown> }[] =
  []

/** What relays have in their storage, which no restore reaches. */
const memories = new Map<string, Seen>()
let cluster = new Cluster(new Map(Object.entries(databases)), { migrations: [], timeoutMs: 10_000 })

async function look(...of: readonly Name[]): Promise<void> {
  for (const name of of) {
    const memory: RestoreMemory = {
      get: async () => memories.get(name) ?? null,
      put: async (seen) => void memories.set(name, seen),
      isKnown: async () => false,
      forgetKnown: async () => undefined,
    }
    for (;;) {
      const session = cluster.open({ reads: false, seen: new Map() })
      const services = { cluster, cache: null, setting: () => undefined }
      const { isLeft } = await lookAfterRestores(services, { catalog, migrations: [] }, session, name, memory)
      if (!isLeft) break
    }
  }
}

const post = async (path: string, body: object, ask = askMany) =>
  ask(path, {
    method: 'POST',
    headers: { ...json, Prefer: 'return=representation' },
    body: JSON.stringify(body),
  })
const made = async (path: string, body: object, ask = askMany) => {
  const response = await post(path, body, ask)
  expect(response.status).toBe(201)
  return ((await response.json()) as { id: number }[])[0]?.id as number
}
const customer = { first_name: 'x', last_name: 'y' }
const taken = new Map<Name, Snapshot>()
const restore = (name: Name) => restoreSnapshot(databases[name], taken.get(name) as Snapshot)
const emails = async (email: string) =>
  (
    await Promise.all(
      names.map((name) =>
        databases[name].prepare('SELECT id FROM customers WHERE email = ?').bind(email).all<{ id: number }>(),
      ),
    )
  ).flatMap(({ results }) => results.map(({ id }) => id))

beforeEach(async () => {
  vi.spyOn(console, 'error').mockImplementation((text: string) => void told.push(JSON.parse(text)))
  await look(...names)
  // Something is seen of each that a restore takes away.
  for (const name of names) taken.set(name, await takeSnapshot(databases[name]))
  told.length = 0
  cluster = new Cluster(new Map(Object.entries(databases)), { migrations: [], timeoutMs: 10_000 })
})
const events = (kind: string) => told.filter((event) => event.kind === kind)
const notes = (kind: string) =>
  events('restore-repair').flatMap(({ note }) => (note?.kind === kind ? [note] : []))

describe('the primary database, put back in time', () => {
  it('is found by what its relay and its shards have seen; ids go on, and copies follow it', async () => {
    const ids = [
      await made('customers', { ...customer, email: 'r1@x' }),
      await made('customers', { ...customer, email: 'r2@x' }),
    ]
    const genre = await made('genres', { name: 'after the snapshot' })
    await look(...names)
    await restore('DB')
    const fresh = askOver(databases)
    // Nobody has noticed anything yet, but who takes numbers asks a shard.
    const next = await made('customers', { ...customer, email: 'r3@x' }, fresh)
    expect(next).toBeGreaterThan(Math.max(...ids) + 500_000)
    await look('DB')
    expect(events('database-went-back')).toMatchObject([{ database: 'DB' }])
    expect(events('restore-repaired')).toHaveLength(1)
    for (const name of names) {
      const found = await databases[name]
        .prepare('SELECT count(*) AS n FROM genres WHERE id = ?')
        .bind(genre)
        .first('n')
      expect([name, found]).toEqual([name, 0])
    }
    const another = await made('genres', { name: 'later' }, fresh)
    for (const name of names) {
      const found = await databases[name]
        .prepare('SELECT name FROM genres WHERE id = ?')
        .bind(another)
        .first('name')
      expect([name, found]).toEqual([name, 'later'])
    }
    // Found once, repaired once.
    told.length = 0
    await look(...names)
    expect(events('database-went-back')).toEqual([])
    for (const id of [...ids, next]) await fresh(`customers?id=eq.${id}`, { method: 'DELETE' })
    await fresh(`genres?id=eq.${another}`, { method: 'DELETE' })
  })

  it('takes back rows that rows on other shards refer to', async () => {
    const employee = await made('employees', { first_name: 'new', last_name: 'new' })
    const ids: number[] = []
    while (!ids.some((id) => shardOf(id) === 'SHARD_2'))
      ids.push(await made('customers', { ...customer, email: `e${ids.length}@x`, support_rep_id: employee }))
    await look(...names)
    await restore('DB')
    await look('DB')
    const key = JSON.stringify([employee])
    expect(notes('came-back')).toEqual([{ kind: 'came-back', table: 'employees', keys: [key] }])
    const id = ids.find((one) => shardOf(one) === 'SHARD_2')
    const shown = await askOver(databases)(`customers?id=eq.${id}&select=employees(last_name)`)
    expect(await shown.json()).toEqual([{ employees: { last_name: 'new' } }])
    expect(
      await databases.DB.prepare('SELECT last_name FROM employees WHERE id = ?')
        .bind(employee)
        .first('last_name'),
    ).toBe('new')
    for (const one of ids) await askMany(`customers?id=eq.${one}`, { method: 'DELETE' })
    await askMany(`employees?id=eq.${employee}`, { method: 'DELETE' })
  })
})

describe('a shard, put back in time', () => {
  it('gets its copies and its lookups again; a value that two rows have is listed until one gives it up', async () => {
    // A value whose lookup is on the shard, and a row that is not: the entry is gone after the restore.
    const value = Array.from({ length: 400 }, (_, i) => `u${i}@x`).find(
      (email) => ownerOf(map, keySlot(email)) === 'SHARD_2',
    ) as string
    const lone = Array.from({ length: 400 }, (_, i) => `v${i}@x`).find(
      (email) => ownerOf(map, keySlot(email)) === 'SHARD_2',
    ) as string
    const on = async (shard: Name, email: string, ask = askMany) => {
      let id = 700_000
      while (shardOf(id) !== shard) id++
      return made('customers', { ...customer, id, email }, ask)
    }
    const [first, alone] = [await on('SHARD_1', value), await on('DB', lone)]
    const genre = await made('genres', { name: 'while the shard was ahead' })
    await look(...names)
    await restore('SHARD_2')
    const fresh = askOver(databases)
    // Before anybody notices, the value looks free.
    const second = await on('SHARD_3', value, fresh)
    await look('SHARD_2')
    expect(events('database-went-back')).toMatchObject([{ database: 'SHARD_2' }])
    expect(
      await databases.SHARD_2.prepare('SELECT name FROM genres WHERE id = ?').bind(genre).first('name'),
    ).toBe('while the shard was ahead')
    expect(await (await fresh(`customers?email=eq.${lone}&select=id`)).json()).toEqual([{ id: alone }])
    expect(await emails(value)).toEqual(expect.arrayContaining([first, second]))
    expect(notes('value-twice')).toEqual([{ kind: 'value-twice', name: 'customers.email', value }])
    const refused = await fresh(`customers?email=eq.${value}`)
    expect([refused.status, await refused.json()]).toMatchObject([409, { code: 'SHARD028' }])
    expect((await post('customers', { ...customer, email: value }, fresh)).status).toBe(409)
    const given = await fresh(`customers?id=eq.${second}`, {
      method: 'PATCH',
      headers: json,
      body: '{"email":"other@x"}',
    })
    expect(given.status).toBe(204)
    await look('SHARD_2')
    expect(await (await fresh(`customers?email=eq.${value}&select=id`)).json()).toEqual([{ id: first }])
    for (const id of [first, second, alone]) await fresh(`customers?id=eq.${id}`, { method: 'DELETE' })
    await fresh(`genres?id=eq.${genre}`, { method: 'DELETE' })
  })

  it('logs its changes behind all numbers that others know, and those since the restore anew', async () => {
    const id = (await databases.SHARD_1.prepare('SELECT min(id) AS id FROM customers').first<number>(
      'id',
    )) as number
    const touch = (fax: string) =>
      askOver(databases)(`customers?id=eq.${id}`, {
        method: 'PATCH',
        headers: json,
        body: JSON.stringify({ fax }),
      })
    for (let i = 0; i < 5; i++) await touch(`${i}`)
    await look('SHARD_1')
    const known = memories.get('SHARD_1')?.positions.changes ?? 0
    await restore('SHARD_1')
    await touch('since the restore')
    await look('SHARD_1')
    const last = await databases.SHARD_1.prepare(
      'SELECT sequence, key FROM _atoll_changes ORDER BY sequence DESC LIMIT 1',
    ).first<{ sequence: number; key: string }>()
    expect(last?.key).toBe(`[${id}]`)
    expect(last?.sequence).toBeGreaterThan(known)
    await askMany(`customers?id=eq.${id}`, { method: 'PATCH', headers: json, body: '{"fax":null}' })
  })
})

describe('ordinary requests', () => {
  it('cost no call more', async () => {
    let calls = 0
    const counted = new Cluster(new Map(Object.entries(databases)), {
      migrations: [],
      timeoutMs: 10_000,
      onCall: () => calls++,
    })
    const session = counted.open({ reads: true, seen: new Map() })
    await session.run({ kind: 'slots', slots: [0] }, () => [{ text: 'SELECT 1', parameters: [] }])
    // The map, and the question.
    expect(calls).toBe(2)
  })
})

describe('slots that moved before a restore', () => {
  it('are owned by whom the databases say, and by nobody where two or none do', async () => {
    const range = await firstRange('SHARD_3')
    const isMoved = (id: number) => slotOf(String(id)) >= range.first && slotOf(String(id)) <= range.last
    const moved = Array.from({ length: 60 }, (_, i) => i + 1).find(isMoved)
    await moveSlots(databases, range, 'SHARD_3', 'SHARD_1')
    await look(...names)
    // The map is older than the truth, and made anew of what the databases own.
    await restore('DB')
    await look('DB')
    expect(notes('map')).toHaveLength(1)
    const fresh = askOver(databases)
    expect(await (await fresh(`customers?id=eq.${moved}&select=id`)).json()).toEqual([{ id: moved }])
    expect(await (await fresh('customers?select=count()')).json()).toEqual([{ count: 60 }])
    // Now the one that gave them away has them again: nothing is deleted, and nothing is counted twice.
    await restore('SHARD_3')
    await look('SHARD_3')
    expect(notes('slots')).toMatchObject([{ first: range.first, last: range.last }])
    expect(await (await fresh(`customers?id=eq.${moved}&select=id`)).json()).toEqual([{ id: moved }])
    expect(await (await fresh('customers?select=count()')).json()).toEqual([{ count: 60 }])
    // Nobody has them: who asks for them is told, and everybody else is answered.
    await restore('SHARD_1')
    await databases.SHARD_3.prepare('DELETE FROM _atoll_slots').run()
    // Its lookups wait until that is known.
    await expect(look('SHARD_1')).rejects.toMatchObject({ body: { code: 'SHARD026' } })
    await look('DB')
    const lost = await fresh(`customers?id=eq.${moved}`)
    expect([lost.status, await lost.json()]).toMatchObject([503, { code: 'SHARD026' }])
    const all = await fresh('customers?select=id')
    expect([all.status, await all.json()]).toMatchObject([
      503,
      { code: 'SHARD026', details: `Slots ${range.first}-${range.last}.` },
    ])
    expect(
      (await fresh(`customers?id=eq.${[1, 2, 3, 4, 5, 6, 7].find((id) => shardOf(id) === 'SHARD_2')}`))
        .status,
    ).toBe(200)
  })
})
