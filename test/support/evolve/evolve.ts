/**
 * One evolution: a random schema with rows, changed step by step by drizzle-kit's real generator; each migration is applied
 * by the migrator in question, and what the databases are is compared with what they must be.
 * @module
 */

import type { Catalog } from '../../../db/catalog/catalog.ts'
import { permittedTexts } from '../../../db/system/permits.ts'
import { type Chance, createChance } from './chance.ts'
import { columnSteps, type Step } from './column-steps.ts'
import { askOf, compareApp, type Databases, dumpAll } from './compare.ts'
import { compareOwn } from './compare-own.ts'
import type { OpenFresh, TestDatabase } from './databases.ts'
import { firstDifference } from './describe-schema.ts'
import { emptySnapshot } from './drizzle-kit.ts'
import { enterLookups, lookupDifference } from './lookups.ts'
import { emptyReferences, volatileColumns } from './oracle.ts'
import { firstPlan, type Plan, planCustom, planStep, planTriggers } from './plan.ts'
import { randomWrites } from './random-writes.ts'
import type { EvolvedMigration, State } from './state.ts'
import { tableSteps } from './table-steps.ts'

export type Migrate = (
  databases: Databases,
  catalog: Catalog,
  migrations: readonly EvolvedMigration[],
) => Promise<unknown>

export interface EvolveOptions {
  readonly databases: 1 | 4
  readonly steps: number
  readonly migrate: Migrate
  readonly open: OpenFresh
  /** Whether Atoll's own triggers and search indexes are looked at. Default true. */
  readonly own?: boolean
}

export interface Evolution {
  readonly seed: number
  /** Steps that were applied or rightly refused, by kind. */
  readonly counts: ReadonlyMap<string, number>
  readonly refusals: number
  /** What the migrator said when it rightly refused. */
  readonly messages: readonly string[]
  /** The first difference, with what led to it; null when all is as it must be. */
  readonly difference: string | null
}

const isRefusal = (error: unknown) => error instanceof Error && error.constructor.name === 'MigrationError'

export async function evolveOnce(seed: number, options: EvolveOptions): Promise<Evolution> {
  const chance = createChance(seed)
  const counts = new Map<string, number>()
  const messages: string[] = []
  const names = ['DB', 'SHARD_1', 'SHARD_2', 'SHARD_3'].slice(0, options.databases)
  const databases = await options.open(names)
  const steps: Readonly<Record<string, Step>> = { ...columnSteps, ...tableSteps(options.databases) }
  let state: State = {
    model: { tables: [], ghosts: [], views: [], triggers: [], nextId: 0 },
    references: emptyReferences(names),
    snapshot: emptySnapshot,
    migrations: [],
    catalog: { tables: new Map(), fingerprint: '' },
  }
  const done = (difference: string | null): Evolution => ({
    seed,
    counts,
    refusals: messages.length,
    messages,
    difference: difference === null ? null : `seed ${seed}, ${options.databases} databases, ${difference}`,
  })
  let played = 0
  while (played < options.steps) {
    const plans = await nextPlans(chance, state, steps, options.databases, played === 0)
    if (plans.length === 0) break
    const result = await play(state, plans, databases, options)
    const told = plans.map(({ kinds }) => kinds.join(' + ')).join('; then ')
    if (result.difference !== null) {
      return done(`step ${played + 1} (${told}): ${result.difference}\n${story(state, plans)}`)
    }
    for (const kind of plans.flatMap(({ kinds }) => kinds)) counts.set(kind, (counts.get(kind) ?? 0) + 1)
    if (result.message !== null) messages.push(result.message)
    state = result.state
    played += plans.length
    const difference = await write(
      chance,
      state,
      databases,
      played === plans.length ? 60 : 12,
      options.own !== false,
    )
    if (difference !== null)
      return done(`writes after step ${played} (${told}): ${difference}\n${story(state, [])}`)
  }
  return done(null)
}

/** The migrations of the next call: mostly one. */
async function nextPlans(
  chance: Chance,
  state: State,
  steps: Readonly<Record<string, Step>>,
  databases: number,
  isFirst: boolean,
): Promise<Plan[]> {
  if (isFirst) {
    const first = await firstPlan(chance, state, databases)
    const triggers = first.outcome.kind === 'applied' && planTriggers(chance, first.state)
    return triggers ? [first, triggers] : [first]
  }
  const plans: Plan[] = []
  const wanted = chance.maybe(0.2) ? 2 + chance.below(2) : 1
  let from = state
  for (let tries = 0; tries < 30 && plans.length < wanted; tries++) {
    const plan = chance.maybe(0.07) ? planCustom(chance, from) : await planStep(chance, from, steps)
    if (!plan) continue
    plans.push(plan)
    if (plan.outcome.kind !== 'applied') break
    from = plan.state
  }
  return plans
}

interface Played {
  readonly state: State
  readonly difference: string | null
  /** What the refusal said; null when nothing was refused. */
  readonly message: string | null
}

async function play(
  state: State,
  plans: readonly Plan[],
  databases: Databases,
  options: EvolveOptions,
): Promise<Played> {
  const last = plans.at(-1) as Plan
  const before = last.outcome.kind === 'refused' ? await dumpAll(databases) : []
  const logged = await loggedIn(databases)
  const asIs = { state, message: null }
  let refusal: string | null = null
  try {
    await options.migrate(databases, last.state.catalog, last.state.migrations)
  } catch (error) {
    if (!isRefusal(error)) return { ...asIs, difference: `it failed: ${(error as Error).stack}` }
    refusal = (error as Error).message
  }
  if (last.outcome.kind === 'refused') {
    if (refusal === null) return { ...asIs, difference: `it was applied, and cannot be: ${last.outcome.why}` }
    const changed = firstDifference(before, await dumpAll(databases))
    const difference =
      changed === null ? null : `it was refused, and something has changed: ${refusal}\n${changed}`
    return { state, difference, message: `${last.outcome.why} | ${refusal}` }
  }
  if (refusal !== null) return { ...asIs, difference: `it was refused, and can be done: ${refusal}` }
  const again = plans.length > 1 ? await playAgain(last.state, databases, options) : null
  if (again !== null) return { ...asIs, difference: again }
  const volatile = volatileColumns(state.model, last.state.model)
  const isGenerated = plans.every(({ kinds }) => !kinds.some((kind) => kind.startsWith('custom')))
  const difference =
    (isGenerated ? firstDifference(logged, await loggedIn(databases)) : null) ??
    (await compareApp(databases, { ...last.state, volatile })) ??
    (options.own === false
      ? null
      : ((await compareOwn(databases, last.state.catalog)) ??
        (await lookupDifference(databases, last.state.catalog))))
  return { state: last.state, difference, message: null }
}

/** What is done is not done again. */
async function playAgain(
  state: State,
  databases: Databases,
  { migrate }: EvolveOptions,
): Promise<string | null> {
  const before = await dumpAll(databases)
  await migrate(databases, state.catalog, state.migrations)
  const changed = firstDifference(before, await dumpAll(databases))
  return changed === null ? null : `applied once more, it changed something\n${changed}`
}

/** How many changes of rows the databases have noted: a change of the schema is none. */
async function loggedIn(databases: Databases): Promise<string[]> {
  const counts = await Promise.all(
    [...databases].map(async ([name, database]) => {
      const [tables] = await askOf(database)([
        "SELECT name FROM sqlite_schema WHERE name IN ('_atoll_changes', '_atoll_reference_log')",
      ])
      // Before the first migration there is nothing that could be noted.
      if (!tables?.length) return [`${name}: 0 changes of rows are logged`]
      const names = tables.map((row) => `(SELECT count(*) FROM ${row.name})`)
      const [rows] = await askOf(database)([`SELECT ${names.join(' + ')} AS n`])
      return [`${name}: ${rows?.[0]?.n} changes of rows are logged`]
    }),
  )
  return counts.flat()
}

/** Writes rows, and looks at what has become of them. */
async function write(
  chance: Chance,
  state: State,
  databases: Databases,
  count: number,
  entersLookups: boolean,
): Promise<string | null> {
  const writes = randomWrites(chance, state.model, state.references, count)
  for (const [name, statements] of writes) {
    if (statements.length === 0) continue
    const database = databases.get(name) as TestDatabase
    try {
      // As what copies whole rows: whether ids and values are free to take is the oracle's to know.
      await database.batch(permittedTexts(statements).map((statement) => database.prepare(statement)))
    } catch (error) {
      return `${name} refuses rows that it must take: ${(error as Error).message}\n${statements.join('\n').slice(0, 3000)}`
    }
  }
  await followLog(databases)
  if (entersLookups) await enterLookups(databases, state.catalog)
  return compareApp(databases, state)
}

/** The copies of reference tables have just been written: what the log says is done. */
async function followLog(databases: Databases): Promise<void> {
  const [[, primary], ...shards] = [...databases] as [[string, TestDatabase], ...[string, TestDatabase][]]
  if (shards.length === 0) return
  const ask = askOf(primary)
  const [tables] = await ask(["SELECT name FROM sqlite_schema WHERE name = '_atoll_reference_log'"])
  if (!tables?.length) return
  const [rows] = await ask(['SELECT ifnull(max(sequence), 0) AS n FROM _atoll_reference_log'])
  for (const [, shard] of shards) {
    await shard.batch([shard.prepare(`UPDATE _atoll_shard SET reference_sequence = ${rows?.[0]?.n}`)])
  }
}

function story(state: State, plans: readonly Plan[]): string {
  const before = state.migrations.at(-1)
  return [
    `--- schema before: ${JSON.stringify(before?.snapshot.tables ?? {}).slice(0, 4000)}`,
    `--- placement: ${JSON.stringify(state.model.tables.map(({ name, placement }) => `${name}: ${placement.kind}`))}`,
    ...plans.map(
      ({ migration }) =>
        `--- ${migration.name}\n${migration.sql}\n--- _meta ${JSON.stringify(migration.snapshot._meta)}`,
    ),
  ].join('\n')
}
