import { describe, expect, it } from 'vitest'
import type { BackupFiles, BackupWorld } from '../../db/backups/backup-world.ts'
import { closeTravel, mendTravel, noteRestored } from '../../db/backups/mend-travel.ts'
import { planTravel } from '../../db/backups/plan-travel.ts'
import { lastTravel, noteTravel, type Travel } from '../../db/backups/travel.ts'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { Cluster } from '../../db/cluster/cluster.ts'
import { createSigner } from '../../functions/backups/sign.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { Life, mortalDatabase } from '../support/crashing-bindings.ts'
import { firstRange, moveSlots } from '../support/move-slots.ts'
import { askMany, askOver, databases } from '../support/one-and-many.ts'
import { restoreSnapshot, type Snapshot, takeSnapshot } from '../support/restore-database.ts'
import { seededRandom } from '../support/seeded-random.ts'

type Name = keyof typeof databases
const names = Object.keys(databases) as Name[]
const catalog = buildCatalog(tables)
const kept = new Map<string, Uint8Array>()
const files: BackupFiles = {
  put: async (key, bytes) => void kept.set(key, bytes),
  get: async (key) => kept.get(key) ?? null,
  list: async (prefix) => [...kept.keys()].filter((key) => key.startsWith(prefix)),
  remove: async (keys) => {
    for (const key of keys) kept.delete(key)
  },
}

/** What the Worker works with, on databases that may die. */
function worldOver(bindings: Readonly<Record<string, D1Database>>, forgotten: string[] = []): BackupWorld {
  const cluster = new Cluster(new Map(Object.entries(bindings)), { migrations: [], timeoutMs: 10_000 })
  return {
    session: cluster.open({ reads: false, seen: new Map() }),
    catalog,
    files,
    signer: createSigner('a secret of tests'),
    now: Date.now,
    rest: async () => undefined,
    partLength: 1_000_000,
    forget: async (all) => void forgotten.push(...all),
  }
}

const post = (path: string, body: object) =>
  askMany(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', prefer: 'return=representation' },
    body: JSON.stringify(body),
  })
const made = async (path: string, body: object) => {
  const answer = await post(path, body)
  expect(answer.status).toBe(201)
  return ((await answer.json()) as { id: number }[])[0]?.id as number
}
const customer = { first_name: 'x', last_name: 'y' }
const rows = async (ask = askMany) => [
  await (await ask('customers?select=id,email&order=id')).json(),
  await (await ask('genres?select=id,name&order=id')).json(),
]

describe('databases that were put back to one moment', () => {
  it('become one whole again, whenever what does it dies', async () => {
    const seed = Number(process.env.ATOLL_SEED ?? Date.now() % 100_000)
    console.log(`seed ${seed}`)
    const random = seededRandom(seed)
    const before = await rows()
    const moment = Date.now()
    const taken = new Map<Name, Snapshot>()
    for (const name of names) taken.set(name, await takeSnapshot(databases[name]))
    await new Promise((done) => setTimeout(done, 5))

    // The time that is taken back: ids and values given out, rows that went, slots that moved.
    const ids = [
      await made('customers', { ...customer, email: 'tt1@x' }),
      await made('customers', { ...customer, email: 'tt2@x' }),
    ]
    await made('genres', { name: 'of a time that never was' })
    const range = await firstRange('SHARD_3')
    await moveSlots(databases, range, 'SHARD_3', 'SHARD_1')
    // It knows the map of then.
    await rows()
    kept.set(`erasures/0a-${moment + 1}`, new Uint8Array()).set(`erasures/0b-${moment - 1}`, new Uint8Array())
    const { databases: losses, notes } = await planTravel(worldOver(databases), moment)
    expect(notes[0]).toMatch(/^1 distribution values that were erased since come back/)
    expect(losses.reduce((sum, { changes }) => sum + changes, 0)).toBeGreaterThan(2)

    let travel: Travel = await noteTravel(worldOver(databases), {
      id: 'T',
      at: moment,
      backup: null,
      phase: 'begun',
      databases: names.map((name) => ({
        name,
        bookmark: '',
        previous: null,
        isRestored: false,
        seen: null,
        isLiving: false,
      })),
      epoch: null,
      looked: { tables: 0, place: null },
      findings: [],
      updated: 0,
    })
    travel = await closeTravel(worldOver(databases), travel)
    const epochs = travel.databases.map(({ seen }) => seen?.positions.epoch ?? 0)
    for (const name of names) {
      await restoreSnapshot(databases[name], taken.get(name) as Snapshot)
      travel = await noteRestored(worldOver(databases), travel, name, null)
    }
    let deaths = 0
    const forgotten: string[] = []
    while (travel.phase !== 'checked') {
      // Each lives a little longer than those before: a look at everything is one step of some hundred calls.
      const life = new Life(1 + Math.floor(random() * 40 * (deaths + 1)), random() < 0.5)
      const mortal = Object.fromEntries(names.map((name) => [name, mortalDatabase(databases[name], life)]))
      const world = worldOver(mortal, forgotten)
      try {
        while (travel.phase !== 'checked') travel = await mendTravel(world, travel)
      } catch (error) {
        if (!life.isOver) throw error
        deaths++
      }
      // Whoever comes next knows what was noted.
      travel = (await lastTravel(files)) as Travel
    }
    console.log(`${deaths} deaths`)
    expect(deaths).toBeGreaterThan(2)
    expect(travel.findings.filter(({ isRight }) => !isRight)).toEqual([])
    expect(travel.findings.map(({ check }) => check)).toEqual(
      expect.arrayContaining([
        'slots',
        'epochs',
        'lookup of customers.email',
        'places of customers',
        'life of DB',
      ]),
    )
    expect(new Set(forgotten)).toEqual(new Set(names))
    for (const [i, name] of names.entries()) {
      const epoch = await databases[name].prepare('SELECT epoch FROM _atoll_shard').first<number>('epoch')
      expect(epoch).toBeGreaterThan(Math.max(...epochs))
      expect([name, i]).toEqual([names[i], i])
    }
    // An isolate that knows the map of the time that was taken back is refused by its epoch, and learns the one of now.
    expect(await rows()).toEqual(before)
    expect(await rows(askOver(databases))).toEqual(before)
    const again = await made('customers', { ...customer, email: 'tt1@x' })
    expect(again).toBeGreaterThan(Math.max(...ids))
    expect((await post('customers', { ...customer, email: 'tt1@x' })).status).toBe(409)
    await askMany(`customers?id=eq.${again}`, { method: 'DELETE' })
  })
})
