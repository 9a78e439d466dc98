import { Table as DrizzleTable, getTableColumns, getTableName, is, View } from 'drizzle-orm'
import { getTableConfig, SQLiteColumn, type SQLiteTable } from 'drizzle-orm/sqlite-core'
import {
  type Catalog,
  type Column,
  type ForeignKey,
  type Placement,
  type SearchIndex,
  searchConfigs,
  type Table,
  type UniqueKey,
} from './catalog.ts'
import { checkOptions } from './check-options.ts'
import { checkPlacement, whyNotBeside } from './check-placement.ts'
import { checkViewGrants } from './check-view-grants.ts'
import { local, type TableDeclaration, type TableDeclarations } from './declarations.ts'
import { declaredRelations } from './declared-relations.ts'
import type { Draft } from './draft.ts'
import type { TableRights } from './grants.ts'
import { type AccessSource, readAccess } from './read-access.ts'
import { checkCache, readCache } from './read-cache.ts'
import { computedColumn, readColumn } from './read-columns.ts'
import { readIds } from './read-ids.ts'
import { allPassedOn, readView } from './read-view.ts'
import { type Edge, type End, relationsFrom } from './relations.ts'
import { uniqueAcrossShards } from './unique-across-shards.ts'

/** A schema that cannot be served: every problem names table, column and remedy. */
export class SchemaError extends Error {
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(`The schema cannot be served:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`)
    this.name = 'SchemaError'
    this.problems = problems
  }
}

/**
 * Reads the Drizzle schema that `declarations` names.
 *
 * @throws SchemaError when it cannot be served
 */
export function buildCatalog(declarations: TableDeclarations): Catalog {
  const problems: string[] = []
  const drafts = new Map<string, Draft>()
  // Views come last: what they pass on is read from their tables.
  const isView = (declaration: TableDeclaration) => Number(declaration.kind === 'view')
  for (const [key, declaration] of Object.entries(declarations).sort(
    ([, a], [, b]) => isView(a) - isView(b),
  )) {
    if (
      !is(
        declaration.kind === 'view' ? declaration.view : declaration.table,
        declaration.kind === 'view' ? View : DrizzleTable,
      )
    ) {
      problems.push(
        `${key}: tables.ts names a ${declaration.kind === 'view' ? 'view' : 'table'} that schema.ts does not export; take the line out, or put the ${declaration.kind === 'view' ? 'view' : 'table'} back`,
      )
      continue
    }
    const draft =
      declaration.kind === 'view' ? readView(declaration, drafts, problems) : readTable(declaration, problems)
    if (drafts.has(draft.name))
      problems.push(`table ${draft.name} is declared twice in tables.ts; keep one line`)
    drafts.set(draft.name, draft)
    checkCache(draft, problems)
    checkOptions(draft, problems)
  }
  const placements = checkPlacement(drafts, problems)
  const ids = readIds(drafts, problems)
  const acrossShards = new Map(
    [...drafts].map(([name, draft]) => [name, uniqueAcrossShards(draft, ids.get(name) ?? null, problems)]),
  )
  const rights = readRights(drafts, placements, problems)
  const declared = new Map(
    [...drafts].map(([name, draft]) => [name, declaredRelations(draft, drafts, problems)]),
  )
  if (problems.length > 0) throw new SchemaError(problems)

  const relations = Map.groupBy(relationsFrom(readEdges(drafts), drafts), (relation) => relation.from)
  const tables = new Map<string, Table>()
  for (const draft of drafts.values()) {
    tables.set(draft.name, {
      name: draft.name,
      shownName: draft.declaration.options.as ?? draft.name,
      schemas: draft.declaration.options.schemas ?? null,
      kind: draft.kind,
      comment: draft.declaration.options.comment ?? null,
      columns: commented(draft),
      primaryKey: draft.primaryKey,
      uniques: draft.uniques,
      partialUniques: draft.partialUniques,
      uniqueAcrossShards: acrossShards.get(draft.name) ?? [],
      ids: ids.get(draft.name) ?? null,
      rights: rights.get(draft.name) as TableRights,
      search: draft.search,
      keysElsewhere: draft.foreignKeys.filter(({ parent }) => !drafts.has(parent)),
      placement: placements.get(draft.name) as Placement,
      relations: relations.get(draft.name) ?? [],
      declared: declared.get(draft.name) ?? [],
      cache: readCache(draft.declaration),
      logValues: draft.declaration.options.logValues ?? false,
      updatable: draft.updatable,
      insteadOf: draft.insteadOf,
    })
  }
  return { tables, fingerprint: fingerprintOf(tables) }
}

/** The columns of rows that belong to no table, as a table has them. @throws SchemaError when they cannot be served */
export function tableOfRecord(table: SQLiteTable): Table {
  const { tables } = buildCatalog({ record: local(table) })
  return tables.get(getTableName(table)) as Table
}

function commented({ columns, declaration }: Draft): ReadonlyMap<string, Column> {
  const { comments = {} } = declaration.options
  return new Map(
    [...columns].map(([name, column]) => [name, { ...column, comment: comments[column.key] ?? null }]),
  )
}

/** Who may do what with each table. */
function readRights(
  drafts: ReadonlyMap<string, Draft>,
  placements: ReadonlyMap<string, Placement>,
  problems: string[],
): Map<string, TableRights> {
  const rights = new Map<string, TableRights>()
  for (const { name, declaration, columns } of drafts.values()) {
    const source: AccessSource = {
      name,
      drizzle: declaration.kind === 'view' ? declaration.view : declaration.table,
      access: declaration.options.access ?? {},
      columns,
      refusal: (table) => whyNotBeside(placements.get(name) as Placement, placements.get(table)),
    }
    rights.set(name, readAccess(source, problems))
  }
  for (const draft of drafts.values()) checkViewGrants(draft, rights, problems)
  return rights
}

function readTable(declaration: Exclude<TableDeclaration, { kind: 'view' }>, problems: string[]): Draft {
  const config = getTableConfig(declaration.table)
  const primaryKey = config.primaryKeys[0]?.columns.map((column) => column.name) ?? [
    ...config.columns.filter((column) => column.primary).map((column) => column.name),
  ]
  const uniques: UniqueKey[] = []
  if (primaryKey.length > 0) {
    uniques.push({ constraint: config.primaryKeys[0]?.name ?? `${config.name}_pkey`, columns: primaryKey })
  }
  for (const column of config.columns) {
    if (column.isUnique) {
      uniques.push({
        constraint: column.uniqueName ?? `${config.name}_${column.name}_key`,
        columns: [column.name],
      })
    }
  }
  for (const unique of config.uniqueConstraints) {
    uniques.push({
      constraint: unique.getName() as string,
      columns: unique.columns.map((column) => column.name),
    })
  }
  const partialUniques: UniqueKey[] = []
  const indexes: string[][] = []
  for (const index of config.indexes) {
    const columns = index.config.columns.map((column) => (is(column, SQLiteColumn) ? column.name : ''))
    if (index.config.where === undefined) indexes.push(columns)
    if (!index.config.unique || columns.includes('')) continue
    const own = index.config.where === undefined ? uniques : partialUniques
    own.push({ constraint: index.config.name, columns })
  }
  if (hasQuote(config.name)) problems.push(`table ${config.name}: ${quoteRemedy}`)
  return {
    name: config.name,
    kind: 'table',
    declaration,
    columns: readColumns(config.name, declaration, primaryKey, problems),
    search: readSearch(config.name, declaration, problems),
    primaryKey,
    uniques,
    partialUniques,
    indexes: [...indexes, ...uniques.map((unique) => [...unique.columns])],
    foreignKeys: config.foreignKeys.map((key) => readForeignKey(config.name, key.reference())),
    sources: {},
    updatable: null,
    insteadOf: [],
  }
}

/** Migrations are files of SQL, and what divides them into statements takes a quote within a name for one that begins or ends. */
const hasQuote = (name: string) => /["'`]/.test(name)
const quoteRemedy = 'its name has a quote in it, which tools for SQL files stumble over; name it otherwise'

function readColumns(
  name: string,
  { table, options }: Exclude<TableDeclaration, { kind: 'view' }>,
  primaryKey: readonly string[],
  problems: string[],
) {
  const columns = new Map<string, Column>()
  for (const [key, drizzleColumn] of Object.entries(getTableColumns(table))) {
    const column = readColumn(key, drizzleColumn, primaryKey, options.columns?.[key])
    if (drizzleColumn.name.toLowerCase() === 'rowid') {
      problems.push(
        `table ${name}, column ${drizzleColumn.name}: SQLite's own rowid is hidden by it; name it otherwise`,
      )
    }
    if (hasQuote(drizzleColumn.name))
      problems.push(`table ${name}, column ${drizzleColumn.name}: ${quoteRemedy}`)
    if (typeof column === 'string') problems.push(`table ${name}, column ${drizzleColumn.name}: ${column}`)
    else columns.set(column.name, column)
  }
  for (const [computed, definition] of Object.entries(options.computed ?? {})) {
    if (columns.has(computed))
      problems.push(
        `table ${name}, computed column ${computed}: the table has that column; name it otherwise`,
      )
    else columns.set(computed, computedColumn(computed, definition))
  }
  return columns
}

function readSearch(
  name: string,
  { table, options }: Exclude<TableDeclaration, { kind: 'view' }>,
  problems: string[],
): SearchIndex | null {
  const searchable = options.searchable ?? []
  if (searchable.length === 0) return null
  const { columns } = getTableConfig(table)
  for (const column of searchable) {
    if (columns.some((candidate) => candidate.name === column && candidate.columnType === 'SQLiteText'))
      continue
    problems.push(
      `table ${name}, column ${column}: only a text column of the table can be searchable; leave it out`,
    )
  }
  const { searchConfig: config = 'english' } = options
  if (!searchConfigs.includes(config))
    problems.push(
      `table ${name}: there is no searchConfig ${config}; it is one of ${searchConfigs.join(', ')}`,
    )
  return {
    index: `_atoll_search_${name}`,
    places: `_atoll_places_${name}`,
    config,
    of: name,
    columns: searchable,
  }
}

function readForeignKey(
  table: string,
  reference: {
    name?: string
    columns: SQLiteColumn[]
    foreignTable: SQLiteTable
    foreignColumns: SQLiteColumn[]
  },
): ForeignKey {
  const columns = reference.columns.map((column) => column.name)
  return {
    // SQLite keeps no names of foreign keys in its messages; PostgreSQL's convention is what clients know.
    constraint: reference.name ?? `${table}_${columns.join('_')}_fkey`,
    columns,
    parent: getTableName(reference.foreignTable),
    parentColumns: reference.foreignColumns.map((column) => column.name),
  }
}

/** Ends that one view may have of one key. */
const maxEnds = 16

/** Foreign keys between served tables, and those that views pass on, on either side. */
function readEdges(drafts: ReadonlyMap<string, Draft>): Edge[] {
  const views = [...drafts.values()].filter((draft) => draft.kind === 'view')
  const endsOf = (table: string, columns: readonly string[]): End[] => {
    const ends: End[] = drafts.has(table) ? [{ table, isView: false, columns }] : []
    for (const view of views) {
      // A view may pass on a column under several names: each is an end of its own.
      const combined = columns.reduce<string[][]>(
        (lists, column) => {
          const names = allPassedOn(view.sources, table, column)
          return lists.flatMap((list) => names.map((name) => [...list, name])).slice(0, maxEnds)
        },
        [[]],
      )
      ends.push(...combined.map((columns) => ({ table: view.name, isView: true, columns })))
    }
    return ends
  }
  const edges: Edge[] = []
  for (const draft of drafts.values()) {
    for (const key of draft.foreignKeys) {
      for (const child of endsOf(draft.name, key.columns)) {
        for (const parent of endsOf(key.parent, key.parentColumns)) {
          edges.push({ constraint: key.constraint, child, parent })
        }
      }
    }
  }
  return edges
}

/** FNV-1a over everything that changes what a statement means. */
function fingerprintOf(tables: ReadonlyMap<string, Table>): string {
  const text = JSON.stringify([...tables.values()], (_, value) =>
    value instanceof Map || value instanceof Set ? [...value] : value,
  )
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  }
  return (hash >>> 0).toString(16).padStart(8, '0')
}
