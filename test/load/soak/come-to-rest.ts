/**
 * The end of a soak.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { buildCatalog } from '../../../db/catalog/build-catalog.ts'
import tables from '../../fixture-app/db/app/tables.ts'
import type { Isolates } from '../../support/isolates.ts'
import { broken, unrest } from './invariants.ts'
import { versionOf } from './row-oracle.ts'
import { genreStaleMs, type World } from './world.ts'

/** How long copies and relays may take to come to rest. */
const restMs = 120_000

/** No faults and no clients: all must come to rest, and be as clients were told. */
export async function comeToRest(
  world: World,
  isolates: Isolates,
  tell: (line: string) => void,
): Promise<void> {
  const { asker, oracle, ledger } = world
  const { tally } = asker
  tally.phase = 'at rest'
  const violate = (what: string) => tally.violate(what)
  // A new isolate has the relays look at all that may need repair.
  for (let i = 0; i < isolates.count; i++) {
    await asker.ask({ kind: 'isolate is evicted', path: '/forget', isHostile: true }, i)
    await askRow(world, 'customers', 1, i)
  }
  const names = ['DB', 'SHARD_1', 'SHARD_2', 'SHARD_3']
  const databases = new Map(
    await Promise.all(names.map(async (name) => [name, await isolates.database(name)] as const)),
  )
  const catalog = buildCatalog(tables)
  const began = performance.now()
  let left = await unrest(databases, catalog)
  while (left.length > 0 && performance.now() - began < restMs) {
    await sleep(1000)
    left = await unrest(databases, catalog)
  }
  tell(`at rest after ${((performance.now() - began) / 1000).toFixed(0)} s`)
  for (const what of left) violate(what)
  if (!(await isBelieved(world, restMs))) violate('the cache is not believed again')
  await sleep(genreStaleMs + 100)
  for (const row of oracle.rows) {
    const [table, id] = row.split(' ') as [string, string]
    for (let i = 0; i < isolates.count; i++) {
      const told = await askRow(world, table, Number(id), i)
      const [shown] = told.status === 200 ? (JSON.parse(told.text) as { value: unknown }[]) : []
      const wrong = shown && oracle.judge(row, versionOf(shown.value), told.sentAt, 0)
      if (told.status !== 200) violate(`${row} is answered ${told.status} ${told.text} when all is quiet`)
      if (wrong) violate(`when all is quiet ${wrong}`)
    }
  }
  for (const what of await broken(databases, oracle, ledger)) violate(what)
}

function askRow({ asker, secret }: World, table: string, id: number, isolate: number) {
  const column = table === 'genres' ? 'name' : 'fax'
  const path = `/rest/v1/${table}?id=eq.${id}&select=value:${column}`
  return asker.ask({ kind: 'read at rest', path, headers: secret }, isolate)
}

/** Waits until the store is believed again: who reads what another has read finds it there. @returns whether it was in time */
export async function isBelieved({ asker, secret }: World, withinMs: number): Promise<boolean> {
  const began = performance.now()
  do {
    const hits: boolean[] = []
    for (let isolate = 0; isolate < asker.isolates; isolate++) {
      const path = '/rest/v1/customers?id=eq.30&select=value:fax'
      const told = await asker.ask(
        { kind: 'is the cache believed', path, headers: secret, isHostile: true },
        isolate,
      )
      hits.push(told.headers.get('cache-status')?.includes('; hit') === true)
    }
    if (hits.every(Boolean)) return true
    await sleep(300)
  } while (performance.now() - began < withinMs)
  return false
}
