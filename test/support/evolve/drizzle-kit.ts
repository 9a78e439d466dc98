/**
 * drizzle-kit's real generator, with its questions answered in this process. Its prompts insist on a terminal, so its module
 * is loaded with two changes: a prompt asks `answer`, and the renames that the command keeps in the snapshot's `_meta` (the
 * API throws them away) are handed out as well.
 * @module
 */
import { registerHooks } from 'node:module'

export interface Snapshot {
  readonly id: string
  readonly prevId: string
  readonly tables: Readonly<Record<string, SnapshotTable>>
  readonly views: Readonly<Record<string, { readonly name: string; readonly definition?: string }>>
  /** Which parts of indexes are expressions. */
  readonly internal?: {
    readonly indexes?: Readonly<
      Record<string, { readonly columns: Readonly<Record<string, { readonly isExpression?: boolean }>> }>
    >
  }
  readonly _meta: unknown
}

export interface SnapshotColumn {
  readonly name: string
  readonly type: string
  readonly primaryKey: boolean
  readonly notNull: boolean
  readonly autoincrement: boolean
  readonly default?: string | number | boolean
  readonly generated?: { readonly as: string; readonly type: 'virtual' | 'stored' }
}

export interface SnapshotKey {
  readonly name: string
  readonly tableTo: string
  readonly columnsFrom: readonly string[]
  readonly columnsTo: readonly string[]
  readonly onDelete?: string
  readonly onUpdate?: string
}

export interface SnapshotTable {
  readonly name: string
  readonly columns: Readonly<Record<string, SnapshotColumn>>
  readonly indexes: Readonly<
    Record<string, { name: string; columns: readonly string[]; isUnique: boolean; where?: string }>
  >
  readonly foreignKeys: Readonly<Record<string, SnapshotKey>>
  readonly compositePrimaryKeys: Readonly<Record<string, { readonly columns: readonly string[] }>>
  readonly checkConstraints: Readonly<Record<string, { readonly name: string; readonly value: string }>>
}

interface Item {
  readonly name: string
}

/** What a prompt of drizzle-kit holds: something new, and what it may have been before. */
interface Question {
  readonly base: Item
  readonly tableName?: string
  readonly entityType?: string
  readonly data?: { readonly items: readonly (Item | { readonly from: Item; readonly to: Item })[] }
  readonly state?: { readonly items: readonly (Item | { readonly from: Item; readonly to: Item })[] }
}

/** Says what something new was called before; null: it is new. */
export type NameBefore = (what: 'table' | 'column' | 'view', name: string, table: string) => string | null

interface Kit {
  generateSQLiteDrizzleJson(imports: Record<string, unknown>, prevId?: string): Promise<Snapshot>
  generateSQLiteMigration(
    prev: Snapshot,
    cur: Snapshot,
  ): Promise<{ sqlStatements: string[]; _meta: Readonly<Record<string, unknown>> }>
}

const slot = globalThis as { answerDrizzleKit?: (question: Question | string) => unknown }

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    if (!url.endsWith('/drizzle-kit/api.mjs')) return loaded
    const source = Buffer.from(loaded.source as Uint8Array).toString()
    const patched = source
      .replace(
        /function render\d*\((\w+)\) \{\n\s+if \(typeof \1 === "string"\)/,
        (start: string, view: string) =>
          start.replace(
            '{\n',
            `{\nif (globalThis.answerDrizzleKit) return globalThis.answerDrizzleKit(${view});\n`,
          ),
      )
      .replace(
        /(var generateSQLiteMigration = [\s\S]*?)const \{ sqlStatements \}([\s\S]*?)return sqlStatements;/,
        '$1const { sqlStatements, _meta }$2return { sqlStatements, _meta };',
      )
    if (!patched.includes('answerDrizzleKit') || !patched.includes('return { sqlStatements, _meta };'))
      throw new Error('drizzle-kit is not as this file knows it')
    return { ...loaded, source: patched }
  },
})

let kit: Promise<Kit> | null = null

const load = () => {
  kit ??= import('drizzle-kit/api').then((module) => module as unknown as Kit)
  return kit
}

export const emptySnapshot = {
  version: '6',
  dialect: 'sqlite',
  id: '00000000-0000-0000-0000-000000000000',
  prevId: '',
  tables: {},
  views: {},
  enums: {},
  _meta: { tables: {}, columns: {} },
} as Snapshot

export async function takeSnapshot(imports: Record<string, unknown>, before: Snapshot): Promise<Snapshot> {
  const { generateSQLiteDrizzleJson } = await load()
  // As from its file.
  return JSON.parse(JSON.stringify(await generateSQLiteDrizzleJson(imports, before.id))) as Snapshot
}

/** One question after the other: which one is asked, drizzle-kit does not say. */
let turn: Promise<unknown> = Promise.resolve()

/** What `drizzle-kit generate` would write: the text of the migration, and the snapshot beside it. */
export function generateMigration(
  before: Snapshot,
  after: Snapshot,
  nameBefore: NameBefore,
): Promise<{ sql: string; snapshot: Snapshot }> {
  const mine = turn.then(() => generateNow(before, after, nameBefore))
  turn = mine.catch(() => undefined)
  return mine
}

async function generateNow(before: Snapshot, after: Snapshot, nameBefore: NameBefore) {
  const { generateSQLiteMigration } = await load()
  slot.answerDrizzleKit = (question) => {
    if (typeof question === 'string') return
    const items = question.data?.items ?? question.state?.items ?? []
    const what =
      question.tableName === undefined ? (question.entityType === 'view' ? 'view' : 'table') : 'column'
    const old = nameBefore(what, question.base.name, question.tableName ?? '')
    const renamed = items.find((item) => 'from' in item && item.from.name === old)
    return Promise.resolve({ status: 'submitted', data: renamed ?? items[0] })
  }
  const { log } = console
  console.log = () => {}
  try {
    const { sqlStatements, _meta } = await generateSQLiteMigration(before, after)
    return {
      sql: sqlStatements.join('--> statement-breakpoint\n'),
      snapshot: JSON.parse(JSON.stringify({ ...after, _meta })) as Snapshot,
    }
  } finally {
    console.log = log
    delete slot.answerDrizzleKit
  }
}
