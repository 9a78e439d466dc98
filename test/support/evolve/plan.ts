/**
 * What the next migration is, and what must come of it.
 * @module
 */
import { randomUUID } from 'node:crypto'
import { SchemaError } from '../../../db/catalog/build-catalog.ts'
import type { Chance } from './chance.ts'
import type { Step } from './column-steps.ts'
import { generateMigration, type NameBefore, takeSnapshot } from './drizzle-kit.ts'
import { drizzleSchema } from './drizzle-tables.ts'
import type { Model, TriggerModel } from './model.ts'
import { evolveReferences, type Outcome, type References, triggerText } from './oracle.ts'
import { takeId } from './random-parts.ts'
import { emptyTable, randomModel } from './random-schema.ts'
import { customUpdate } from './random-writes.ts'
import type { EvolvedMigration, State } from './state.ts'

export interface Plan {
  readonly kinds: readonly string[]
  readonly migration: EvolvedMigration
  readonly outcome: Outcome
  /** What all is afterwards; when it is refused, what was wanted. */
  readonly state: State
}

/** The migration from one model to another; null when no schema could say it, or nothing is generated. */
async function planModel(state: State, model: Model, kinds: readonly string[]): Promise<Plan | null> {
  if (!isTruthful(state.model, model)) return null
  const schema = tryDrizzle(model)
  if (!schema) return null
  const wanted = await takeSnapshot(schema.exports, state.snapshot)
  const outcome = evolveReferences(state.references, state.model, model, wanted)
  if (outcome.kind === 'invalid') return null
  const { sql, snapshot } = await generateMigration(state.snapshot, wanted, nameBefore(state.model, model))
  if (sql === '') return null
  const migration = { name: migrationName(state, 'step'), sql, snapshot }
  return {
    kinds,
    migration,
    outcome,
    state: {
      model,
      references: outcome.kind === 'applied' ? outcome.references : state.references,
      snapshot,
      migrations: [...state.migrations, migration],
      catalog: schema.catalog,
    },
  }
}

function tryDrizzle(model: Model) {
  try {
    return drizzleSchema(model)
  } catch (error) {
    if (error instanceof SchemaError) return null
    throw error
  }
}

const migrationName = (state: State, what: string) =>
  `${String(state.migrations.length).padStart(4, '0')}_${what}.sql`

export async function firstPlan(chance: Chance, state: State, databases: number): Promise<Plan> {
  for (;;) {
    const model = randomModel(chance, databases)
    if (chance.maybe(0.5)) addLog(chance, model)
    const plan = await planModel(state, model, ['first schema'])
    if (plan) return plan
  }
}

export async function planStep(
  chance: Chance,
  state: State,
  steps: Readonly<Record<string, Step>>,
): Promise<Plan | null> {
  const model = structuredClone(state.model)
  const kinds: string[] = []
  const wanted = chance.maybe(0.7) ? 1 : 2 + chance.below(3)
  for (let tries = 0; tries < 12 && kinds.length < wanted; tries++) {
    const kind = chance.pick(Object.keys(steps))
    const table = chance.pick(model.tables)
    if (table.isLog && kind !== 'rename table') continue
    if ((steps[kind] as Step)(chance, model, table)) kinds.push(kind)
  }
  return kinds.length === 0 ? null : planModel(state, model, kinds)
}

/** What a name stood for before, it stands for now: else nobody could answer drizzle-kit's questions truthfully. */
function isTruthful(before: Model, after: Model): boolean {
  const agree = (
    old: readonly { id: number; name: string }[],
    now: readonly { id: number; name: string }[],
  ) =>
    now.every(({ id, name }) =>
      old.every((was) => was.name.toLowerCase() !== name.toLowerCase() || was.id === id),
    )
  return (
    agree(before.tables, after.tables) &&
    agree(before.views, after.views) &&
    after.tables.every((table) => {
      const was = before.tables.find(({ id }) => id === table.id)
      return !was || agree(was.columns, table.columns)
    })
  )
}

function nameBefore(before: Model, after: Model): NameBefore {
  const old = (was: readonly { id: number; name: string }[], id: number | undefined) =>
    was.find((candidate) => candidate.id === id)?.name ?? null
  return (what, name, table) => {
    const named = (list: readonly { id: number; name: string }[]) => list.find((one) => one.name === name)?.id
    if (what === 'view') return old(before.views, named(after.views))
    if (what === 'table') return old(before.tables, named(after.tables))
    const now = after.tables.find((candidate) => candidate.name === table)
    const was = before.tables.find(({ id }) => id === now?.id)
    return was && now ? old(was.columns, named(now.columns)) : null
  }
}

/** A table that triggers of the app write to. */
function addLog(chance: Chance, model: Model): void {
  const log = emptyTable(model, chance.pick(['audit', 'Log book']), {
    kind: chance.pick(['local', 'undeclared']),
  })
  const column = (name: string, kind: 'integer' | 'text') => {
    const id = takeId(model)
    log.columns.push({ id, name, kind, notNull: true, default: null, generated: null, unique: false })
    return id
  }
  log.isLog = true
  log.primaryKey = [column('id', 'integer')]
  log.autoincrement = chance.maybe(0.5)
  column('note', 'text')
  model.tables.push(log)
}

/** A migration of the app's own that makes triggers. */
export function planTriggers(chance: Chance, state: State): Plan | null {
  const log = state.model.tables.find(({ isLog }) => isLog)
  // Log and rows must lie in the same database.
  const able = state.model.tables.filter(
    (table) =>
      !table.isLog &&
      (state.references.size === 1 ||
        table.placement.kind === 'local' ||
        table.placement.kind === 'undeclared'),
  )
  if (!log || able.length === 0) return null
  const model = structuredClone(state.model)
  const triggers = Array.from({ length: 1 + chance.below(3) }, (): TriggerModel => {
    const table = chance.pick(able)
    const readable = table.columns.filter(({ generated }) => !generated)
    return {
      name: chance.maybe(0.3) ? `note ${takeId(model)}` : `note_${takeId(model)}`,
      event: chance.pick(['INSERT', 'UPDATE', 'DELETE']),
      table: table.id,
      log: log.id,
      noteColumn: log.columns[1]?.id as number,
      reads: chance.maybe(0.3) ? chance.pick(readable).id : null,
    }
  })
  model.triggers.push(...triggers)
  const texts = triggers.map((trigger) => `${triggerText(model, trigger)};`)
  const references = copyReferences(state, model)
  return customPlan(
    state,
    model,
    'custom: app triggers',
    texts.join('\n--> statement-breakpoint\n'),
    references,
  )
}

function planDropTrigger(chance: Chance, state: State): Plan | null {
  if (state.model.triggers.length === 0) return null
  const model = structuredClone(state.model)
  const [gone] = model.triggers.splice(chance.below(model.triggers.length), 1)
  const text = `DROP TRIGGER IF EXISTS "${gone?.name}"; -- one; of them`
  return customPlan(state, model, 'custom: drop an app trigger', text, copyReferences(state, model))
}

/** The same rows once more, so that a migration which is not applied in the end has changed nothing. */
function copyReferences(state: State, model: Model): References {
  const copy = evolveReferences(state.references, state.model, model, state.snapshot)
  if (copy.kind !== 'applied') throw new Error(`the rows that are there cannot be copied: ${copy.why}`)
  return copy.references
}

export function planCustom(chance: Chance, state: State): Plan | null {
  if (chance.maybe(0.2)) return planTriggers(chance, state)
  if (chance.maybe(0.15)) return planDropTrigger(chance, state)
  if (chance.maybe(0.3)) {
    const text = '-- Custom SQL migration file, put your code below! --'
    return customPlan(state, state.model, 'custom: a comment', text, state.references)
  }
  const references = copyReferences(state, state.model)
  const text = customUpdate(chance, state.model, references)
  return text === null ? null : customPlan(state, state.model, 'custom: an update', text, references)
}

/** As `drizzle-kit generate --custom` does: the snapshot of before under a new id. */
function customPlan(state: State, model: Model, kind: string, sql: string, references: References): Plan {
  const snapshot = {
    ...state.snapshot,
    id: randomUUID(),
    prevId: state.snapshot.id,
    _meta: { schemas: {}, tables: {}, columns: {} },
  }
  const migration = { name: migrationName(state, 'custom'), sql, snapshot }
  return {
    kinds: [kind],
    migration,
    outcome: { kind: 'applied', references },
    state: { ...state, model, references, snapshot, migrations: [...state.migrations, migration] },
  }
}
