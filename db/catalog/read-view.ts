import { type Table as DrizzleTable, is } from 'drizzle-orm'
import { getViewConfig, SQLiteColumn } from 'drizzle-orm/sqlite-core'
import type { Column } from './catalog.ts'
import type { ColumnSources, TableDeclaration } from './declarations.ts'
import type { Draft } from './draft.ts'
import { readColumn } from './read-columns.ts'
import { type BaseTable, updatableView } from './updatable-view.ts'

/** Reads a view, whose columns know the tables that they come from, or are told by `sources`. */
export function readView(
  declaration: Extract<TableDeclaration, { kind: 'view' }>,
  drafts: ReadonlyMap<string, Draft>,
  problems: string[],
): Draft {
  const { name, selectedFields } = getViewConfig(declaration.view)
  const columns = new Map<string, Column>()
  const sources: Record<string, readonly [string, string]> = {}
  for (const [key, field] of Object.entries(selectedFields)) {
    if (!is(field, SQLiteColumn)) {
      problems.push(`view ${name}, column ${key}: give it a type by declaring the view with its columns`)
      continue
    }
    const origin = originOf(field.table, drafts)
    const passedOn = passedOnAs(field.name, origin, declaration, drafts)
    const column = readColumn(key, field, [], declaration.options.columns?.[key], passedOn)
    if (typeof column === 'string') problems.push(`view ${name}, column ${field.name}: ${column}`)
    else columns.set(column.name, { ...column, default: null, nullable: true })
    if (origin !== null) sources[field.name] = [origin, field.name]
  }
  Object.assign(sources, declaration.options.sources)
  const updatable = updatableView(declaration.view, [...columns.keys()], (table) => baseNamed(table, drafts))
  const base = wholeKeySource(sources, drafts)
  return {
    name,
    kind: 'view',
    declaration,
    columns,
    primaryKey: base,
    uniques: [],
    partialUniques: [],
    indexes: [],
    foreignKeys: [],
    search: null,
    updatable,
    insteadOf: declaration.options.insteadOf ?? [],
    sources,
  }
}

/** The column of a served table that a view's column is, as far as it is known. */
function passedOnAs(
  name: string,
  origin: string | null,
  { options }: Extract<TableDeclaration, { kind: 'view' }>,
  drafts: ReadonlyMap<string, Draft>,
): Column | null {
  const [table, column] = options.sources?.[name] ?? [origin, name]
  return (table === null ? undefined : drafts.get(table)?.columns.get(column)) ?? null
}

/**
 * The served table that a view's column was selected from. Drizzle gives such columns a table of the view's own
 * name, which still knows the name it was made with.
 */
function originOf(table: DrizzleTable, drafts: ReadonlyMap<string, Draft>): string | null {
  const baseName = Symbol.for('drizzle:BaseName')
  const baseOf = (candidate: DrizzleTable) => (candidate as unknown as Record<symbol, unknown>)[baseName]
  for (const { name, declaration } of drafts.values()) {
    if (declaration.kind !== 'view' && baseOf(declaration.table) === baseOf(table)) return name
  }
  return null
}

function baseNamed(name: string, drafts: ReadonlyMap<string, Draft>): BaseTable | null {
  const found = [...drafts.values()].find((draft) => draft.name.toLowerCase() === name.toLowerCase())
  return found?.kind === 'table' ? found : null
}

/** The view's columns that are the whole primary key of the one table it passes on, else none. */
function wholeKeySource(sources: ColumnSources, drafts: ReadonlyMap<string, Draft>): string[] {
  const origins = new Set(Object.values(sources).map(([table]) => table))
  for (const origin of origins) {
    const key = drafts.get(origin)?.primaryKey ?? []
    const columns = key.map((column) => passedOn(sources, origin, column))
    if (key.length > 0 && columns.every((column) => column !== undefined)) return columns as string[]
  }
  return []
}

/** The first of the view's columns that pass on a column of a table. */
function passedOn(sources: ColumnSources, table: string, column: string): string | undefined {
  return allPassedOn(sources, table, column)[0]
}

/** The view's columns that pass on a column of a table. */
export function allPassedOn(sources: ColumnSources, table: string, column: string): string[] {
  const own = Object.entries(sources).filter(([, source]) => source[0] === table && source[1] === column)
  return own.map(([name]) => name)
}
