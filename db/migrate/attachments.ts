/**
 * What Atoll hangs on the app's tables: triggers of the change log, of the reference log, of the rules and of full-text search. A migration takes
 * them off the tables that it changes, so that they neither stand in its way nor tell its copying as changes, and puts them back.
 * @module
 */
import { type Catalog, type SearchIndex, storedColumns, type Table } from '../catalog/catalog.ts'
import { changeTriggerPrefix, changeTriggers } from '../changes/change-triggers.ts'
import { foldName } from '../sql/sql-tokens.ts'
import { referenceTriggerPrefix, referenceTriggers } from '../system/reference-triggers.ts'
import { ruleTriggerPrefix } from '../system/rule-trigger.ts'
import { ruleTriggers } from '../system/rule-triggers.ts'
import { searchPrefix, searchTriggers } from '../system/search-objects.ts'
import type { ModelTable } from './schema-model.ts'

const prefixes = [changeTriggerPrefix, referenceTriggerPrefix, ruleTriggerPrefix, searchPrefix]

/** Whether a trigger is one of Atoll's, by its name. */
export function isAtollTrigger(name: string): boolean {
  return prefixes.some((prefix) => name.startsWith(prefix))
}

export interface Attachments {
  /** Triggers of a table by name, search's included. */
  readonly triggers: ReadonlyMap<string, string>
  readonly search: SearchIndex | null
}

/** Tells what a table, as it is in the database, is to have; null when the catalog does not serve it, or not like this yet. */
export type AttachmentsOf = (table: ModelTable) => Attachments | null

/** @param shards whether there are shards beside the primary database */
export function attachmentsFor(catalog: Catalog, isPrimary: boolean, shards: boolean): AttachmentsOf {
  const byName = new Map([...catalog.tables.values()].map((table) => [foldName(table.name), table]))
  return (present) => {
    const served = byName.get(foldName(present.name))
    const table = served && asPresent(served, present)
    if (!table) return null
    const only: Catalog = { ...catalog, tables: new Map([[table.name, table]]) }
    return {
      triggers: new Map([
        ...changeTriggers(only, isPrimary),
        ...(isPrimary && shards ? referenceTriggers(only) : []),
        ...ruleTriggers(only, isPrimary, shards),
        ...(table.search ? searchTriggers(table.search) : []),
      ]),
      search: table.search,
    }
  }
}

/** A table of the catalog with those of its columns that the database has by now; null when it lacks its key. */
function asPresent(table: Table, present: ModelTable): Table | null {
  if (table.kind !== 'table') return null
  const names = new Set(present.columns.map(({ name }) => name))
  const { primaryKey, placement, search } = table
  const needed = [...primaryKey, ...(placement.kind === 'distributed' ? [placement.by] : [])]
  if (!needed.every((name) => names.has(name))) return null
  const stored = new Set(storedColumns(table).map(({ name }) => name))
  const columns = [...table.columns].filter(([name]) => !stored.has(name) || names.has(name))
  return {
    ...table,
    columns: new Map(columns),
    uniqueAcrossShards: table.uniqueAcrossShards.filter((name) => names.has(name)),
    search: search?.columns.every((name) => names.has(name)) ? search : null,
  }
}
