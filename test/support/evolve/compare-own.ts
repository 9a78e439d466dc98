/**
 * Whether what Atoll keeps beside the app's tables is as it must be: its triggers, its full-text indexes, and nothing else.
 * @module
 */
import type { Catalog, SearchIndex } from '../../../db/catalog/catalog.ts'
import { changeTriggerPrefix, changeTriggers } from '../../../db/changes/change-triggers.ts'
import { quoteName } from '../../../db/sql/quote.ts'
import { referenceTriggerPrefix, referenceTriggers } from '../../../db/system/reference-triggers.ts'
import { createSearch } from '../../../db/system/search-objects.ts'
import { askOf, type Databases } from './compare.ts'
import { type Ask, firstDifference, type Row } from './describe-schema.ts'
import { words } from './random-values.ts'

export async function compareOwn(databases: Databases, catalog: Catalog): Promise<string | null> {
  const differences = await Promise.all(
    [...databases].map(async ([name, database]) => {
      const isPrimary = name === 'DB'
      const references =
        isPrimary && databases.size > 1 ? referenceTriggers(catalog) : new Map<string, string>()
      const ask = askOf(database)
      const [objects = []] = await ask(['SELECT type, name, tbl_name, sql FROM sqlite_schema'])
      const difference =
        triggersDifference(objects, changeTriggerPrefix, changeTriggers(catalog, isPrimary)) ??
        triggersDifference(objects, referenceTriggerPrefix, references) ??
        (await searchDifference(ask, objects, catalog)) ??
        leftOver(objects)
      return difference === null ? null : `${name}: ${difference}`
    }),
  )
  return differences.find((difference) => difference !== null) ?? null
}

function triggersDifference(
  objects: readonly Row[],
  prefix: string,
  wanted: ReadonlyMap<string, string>,
): string | null {
  const got = objects.filter(({ type, name }) => type === 'trigger' && String(name).startsWith(prefix))
  const difference = firstDifference(
    [...wanted].map(([name, sql]) => `${name}: ${sql}`),
    got.map(({ name, sql }) => `${name}: ${sql}`),
  )
  return difference === null ? null : `Atoll's triggers differ\n${difference}`
}

async function searchDifference(ask: Ask, objects: readonly Row[], catalog: Catalog): Promise<string | null> {
  const wanted = [...catalog.tables.values()].flatMap(({ search }) => (search ? [search] : []))
  const isSearch = ({ name, sql }: Row) =>
    /^_atoll_(?:search|places)_/.test(String(name)) && String(sql).startsWith('CREATE VIRTUAL')
  const difference = firstDifference(
    wanted.flatMap((search) => createSearch(search).slice(0, 2)).sort(),
    objects
      .filter(isSearch)
      .map(({ sql }) => String(sql))
      .sort(),
  )
  if (difference !== null) return `search indexes differ\n${difference}`
  for (const search of wanted) {
    const triggers = objects.filter(
      ({ type, name, tbl_name }) =>
        type === 'trigger' && tbl_name === search.of && String(name).startsWith('_atoll_search_'),
    )
    if (triggers.length !== 3) return `${search.index} has ${triggers.length} triggers`
    const wrong = await searchFault(ask, search)
    if (wrong !== null) return wrong
  }
  return null
}

async function searchFault(ask: Ask, { index, of, columns }: SearchIndex): Promise<string | null> {
  const own = quoteName(index)
  const found = (word: string) => {
    const holds = columns.map((column) => `instr(${quoteName(column)}, '${word}') > 0`).join(' OR ')
    return `SELECT (SELECT json_group_array(rowid) FROM (SELECT rowid FROM ${own} WHERE ${own} MATCH '${word}' ORDER BY rowid)) AS found,
     (SELECT json_group_array(rowid) FROM (SELECT rowid FROM ${quoteName(of)} WHERE ${holds} ORDER BY rowid)) AS wanted`
  }
  try {
    const answers = await ask([
      ...words.map(found),
      // FTS5 compares every word with the table itself: https://www.sqlite.org/fts5.html#the_integrity_check_command
      `INSERT INTO ${own} (${own}, rank) VALUES ('integrity-check', 1)`,
    ])
    for (const [i, word] of words.entries()) {
      const row = answers[i]?.[0]
      if (row?.found !== row?.wanted)
        return `${index} finds ${word} in rows ${row?.found}, and it is in ${row?.wanted}`
    }
  } catch (error) {
    return `${index} does not say what ${of} says: ${(error as Error).message}`
  }
  return null
}

function leftOver(objects: readonly Row[]): string | null {
  const names = objects.map(({ name }) => String(name)).filter((name) => /^(?:__new_|_atoll_held)/.test(name))
  return names.length > 0 ? `left over: ${names.join(', ')}` : null
}
