/**
 * Lists objects: one level of folders at a time, or all of them; only those that the caller may see.
 * @module
 */
import type { BoundStatement, Row } from '../../db/sql/statement.ts'
import type { ObjectRule } from './bucket-policies.ts'
import { objectColumns, objectOf, type StoredObject } from './object-rows.ts'

/** What is on one level: a folder, or an object. */
export type Entry =
  | { readonly kind: 'folder'; readonly name: string }
  | { readonly kind: 'object'; readonly object: StoredObject }

export interface Level {
  readonly bucket: string
  /** What names begin with: nothing, or folders and a slash, or more. */
  readonly prefix: string
  /** Where it goes on: what `cursorOf` made of the last entry, or nothing. */
  readonly after: string
  readonly limit: number
  readonly isDescending?: boolean
}

/** Comes behind every name that begins with the same characters. */
const last = '\u{10ffff}'

/**
 * The entries of a level in the order of their names: each step looks up the next name in the index, and jumps over a folder as a
 * whole, so that it costs as much as it shows. A folder is there if the caller may see something in it.
 */
export function listLevel(
  { bucket, prefix, after, limit, isDescending = false }: Level,
  rule: ObjectRule,
): BoundStatement {
  const visible = `(${rule.text}) <> 0`
  const first = `SELECT ${isDescending ? 'max' : 'min'}(name) FROM _atoll_objects WHERE bucket = ? AND name >= ? AND name > ? AND name < ? AND ${visible}`
  const next = isDescending
    ? `SELECT max(name) FROM _atoll_objects WHERE bucket = w.bucket AND name >= w.prefix AND name < ${folderOrName('w')} AND ${visible}`
    : `SELECT min(name) FROM _atoll_objects WHERE bucket = w.bucket AND name < w.prefix || '${last}' AND name > ${folderOrName('w', ` || '${last}'`)} AND ${visible}`
  return {
    text: `WITH RECURSIVE _atoll_walk(bucket, prefix, name) AS (SELECT ?, ?, (${first}) UNION ALL
      SELECT w.bucket, w.prefix, (${next}) FROM _atoll_walk AS w WHERE w.name IS NOT NULL LIMIT ?)
      SELECT ${folderOf('walk')} AS is_folder, ${objectColumns
        .split(', ')
        .map((column) => `o.${column}`)
        .join(
          ', ',
        )} FROM _atoll_walk AS walk LEFT JOIN _atoll_objects AS o ON ${folderOf('walk')} IS NULL AND o.bucket = walk.bucket AND o.name = walk.name
      WHERE walk.name IS NOT NULL`,
    parameters: [
      bucket,
      prefix,
      bucket,
      prefix,
      isDescending ? '' : after,
      isDescending && after !== '' ? after : prefix + last,
      ...rule.parameters,
      ...rule.parameters,
      String(limit),
    ],
  }
}

/** The folder that a name is in, below the prefix, with its slash; null when it is in none. */
function folderOf(row: string): string {
  const slash = `instr(substr(${row}.name, length(${row}.prefix) + 1), '/')`
  return `CASE WHEN ${slash} > 0 THEN substr(${row}.name, 1, length(${row}.prefix) + ${slash}) END`
}

function folderOrName(row: string, behindFolder = ''): string {
  return `coalesce(${folderOf(row)}${behindFolder}, ${row}.name)`
}

/** All objects that begin with a prefix, in the order of their names. */
export function listAll(
  { bucket, prefix, after, limit, isDescending = false }: Level,
  rule: ObjectRule,
): BoundStatement {
  const [from, to] = isDescending ? ['', after === '' ? prefix + last : after] : [after, prefix + last]
  return {
    text: `SELECT ${objectColumns} FROM _atoll_objects WHERE bucket = ? AND name >= ? AND name > ? AND name < ? AND (${rule.text}) <> 0
      ORDER BY name ${isDescending ? 'DESC' : 'ASC'} LIMIT ${limit}`,
    parameters: [bucket, prefix, from, to, ...rule.parameters],
  }
}

/** Where a listing by time goes on: behind an entry, by what it is sorted by, which is nothing of folders, and its name. */
export type TimeCursor = readonly [time: number | null, name: string]

/**
 * Objects, or what is on one level, by time: folders come first, by their names. It looks at all that begins with the prefix.
 *
 * @param after null: from the beginning
 */
export function listByTime(
  { bucket, prefix, limit, isDescending = false }: Omit<Level, 'after'>,
  rule: ObjectRule,
  column: 'created_at' | 'updated_at',
  byFolder: boolean,
  after: TimeCursor | null,
): BoundStatement {
  const time = column === 'created_at' ? 'created' : 'updated'
  const folder = byFolder
    ? `CASE WHEN instr(rest, '/') > 0 THEN ? || substr(rest, 1, instr(rest, '/')) END`
    : 'NULL'
  const sign = isDescending ? '<' : '>'
  const [value, name] = after ?? [null, '']
  // Of folders the names alone count, and objects come behind them all.
  const onward =
    after === null
      ? '1'
      : value === null
        ? '(is_folder IS NULL OR is_folder > ?)'
        : `(is_folder IS NULL AND (${time} ${sign} CAST(? AS INTEGER) OR (${time} = CAST(? AS INTEGER) AND name > ?)))`
  return {
    text: `SELECT is_folder, ${objectColumns} FROM (SELECT *, ${folder} AS is_folder FROM
      (SELECT ${objectColumns}, substr(name, length(?) + 1) AS rest FROM _atoll_objects WHERE bucket = ? AND name >= ? AND name < ? AND (${rule.text}) <> 0))
      GROUP BY ifnull(is_folder, name), is_folder IS NULL HAVING ${onward}
      ORDER BY is_folder IS NULL, is_folder, ${time} ${isDescending ? 'DESC' : 'ASC'}, name LIMIT ?`,
    parameters: [
      ...(byFolder ? [prefix] : []),
      prefix,
      bucket,
      prefix,
      prefix + last,
      ...rule.parameters,
      ...(after === null ? [] : value === null ? [name] : [String(value), String(value), name]),
      String(limit),
    ],
  }
}

export const sortColumns = ['name', 'created_at', 'updated_at', 'last_accessed_at', 'id'] as const
export type SortColumn = (typeof sortColumns)[number]

/** One level, searched and sorted as asked: it looks at all that is in it. */
export function searchLevel(
  { bucket, prefix, limit }: Level,
  rule: ObjectRule,
  terms: {
    readonly search: string
    readonly offset: number
    readonly column: SortColumn
    readonly isDescending: boolean
  },
): BoundStatement {
  const sorted = {
    name: 'entry',
    created_at: 'created',
    updated_at: 'updated',
    last_accessed_at: 'updated',
    id: 'id',
  }
  const direction = terms.isDescending ? 'DESC' : 'ASC'
  const entry = `CASE WHEN instr(rest, '/') > 0 THEN substr(rest, 1, instr(rest, '/') - 1) ELSE rest END`
  return {
    text: `SELECT CASE WHEN max(instr(rest, '/')) > 0 THEN entry END AS is_folder, entry, ${objectColumns} FROM
      (SELECT *, ${entry} AS entry FROM (SELECT ${objectColumns}, substr(name, length(?) + 1) AS rest FROM _atoll_objects
      WHERE bucket = ? AND name > ? AND name < ? AND (${rule.text}) <> 0))
      WHERE instr(lower(entry), lower(?)) = 1 GROUP BY entry, instr(rest, '/') > 0
      ORDER BY is_folder IS NULL, ${sorted[terms.column]} ${direction}, entry LIMIT ? OFFSET ?`,
    parameters: [
      prefix,
      bucket,
      prefix,
      prefix + last,
      ...rule.parameters,
      terms.search,
      String(limit),
      String(terms.offset),
    ],
  }
}

/** Where a listing goes on behind an entry. */
export function cursorOf(entry: Entry, isDescending: boolean): string {
  if (entry.kind === 'object') return entry.object.name
  return isDescending ? entry.name : entry.name + last
}

export function entryOf(row: Row): Entry {
  return row.is_folder === null
    ? { kind: 'object', object: objectOf(row) }
    : { kind: 'folder', name: row.is_folder as string }
}
