/**
 * `/storage/v1/object/list` and `list-v2`.
 * @module
 */
import { z } from 'zod'
import { errors } from './errors.ts'
import type { Visiting } from './find-object.ts'
import {
  cursorOf,
  type Entry,
  entryOf,
  listAll,
  listByTime,
  listLevel,
  searchLevel,
  sortColumns,
  type TimeCursor,
} from './list-objects.ts'
import { shownObject } from './object-rows.ts'
import { readJson } from './read-json.ts'
import { maxAtOnce } from './remove-objects.ts'
import { findBucket } from './storage-context.ts'

/** As Supabase Storage has it: more than can be had is what can be had. */
const limitOf = (most: number, usual: number) =>
  z
    .number()
    .int()
    .min(1)
    .default(usual)
    .transform((asked) => Math.min(asked, most))

const sorting = z.object({
  column: z.enum(sortColumns).catch('name').default('name'),
  order: z.enum(['asc', 'desc']).catch('asc').default('asc'),
})
const listing = z.object({
  prefix: z.string().max(1000).default(''),
  limit: limitOf(maxAtOnce, 100),
  offset: z.number().int().min(0).default(0),
  search: z.string().max(1000).nullish(),
  sortBy: sorting.nullish(),
})
const listingV2 = z.object({
  prefix: z.string().max(1000).default(''),
  limit: limitOf(maxAtOnce, maxAtOnce),
  cursor: z.string().max(4000).nullish(),
  with_delimiter: z.boolean().default(false),
  sortBy: z
    .object({
      column: z.enum(['name', 'created_at', 'updated_at']).catch('name').default('name'),
      order: z.enum(['asc', 'desc']).catch('asc').default('asc'),
    })
    .nullish(),
})

export async function list(c: Visiting): Promise<Response> {
  const { storage } = c.var
  const { id: bucket } = await findBucket(storage, c.req.param('bucket') ?? '')
  const { prefix, limit, offset, search, sortBy } = await readJson(c.var.storage, listing)
  // Folders' names come with a slash behind them or without.
  const folder = prefix.replace(/^\/+|\/+$/g, '')
  const level = { bucket, prefix: folder === '' ? '' : `${folder}/`, after: '', limit }
  const terms = {
    search: search ?? '',
    offset,
    column: sortBy?.column ?? 'name',
    isDescending: sortBy?.order === 'desc',
  }
  const [rows = []] = await storage.session.primary([
    { ...searchLevel(level, storage.rights.rule(bucket, 'select'), terms), isWorded: true },
  ])
  return c.json(
    rows.map((row) => {
      const name = row.entry as string
      const entry = entryOf(row)
      if (entry.kind === 'object') return { ...shownObject(entry.object), name }
      return { name, id: null, created_at: null, updated_at: null, last_accessed_at: null, metadata: null }
    }),
  )
}

export async function listV2(c: Visiting): Promise<Response> {
  const { storage } = c.var
  const { id: bucket } = await findBucket(storage, c.req.param('bucket') ?? '')
  const { prefix, limit, cursor, with_delimiter: byFolder, sortBy } = await readJson(c.var.storage, listingV2)
  const isDescending = sortBy?.order === 'desc'
  const column = sortBy?.column ?? 'name'
  const level = { bucket, prefix, limit: limit + 1, isDescending }
  const rule = storage.rights.rule(bucket, 'select')
  const statement =
    column === 'name'
      ? (byFolder ? listLevel : listAll)({ ...level, after: readCursor(cursor ?? null) }, rule)
      : listByTime(level, rule, column, byFolder, readTimeCursor(cursor ?? null))
  const [rows = []] = await storage.session.primary([{ ...statement, isWorded: true }])
  const entries = rows.slice(0, limit).map((row) => entryOf({ is_folder: null, ...row }))
  const end = rows.length > limit ? entries.at(-1) : undefined
  const onward = (last: Entry) =>
    column === 'name' ? cursorOf(last, isDescending) : JSON.stringify(timeOf(last, column))
  return c.json({
    hasNext: end !== undefined,
    ...(end === undefined ? {} : { nextCursor: writeCursor(onward(end)) }),
    folders: entries.flatMap((entry) =>
      entry.kind === 'folder' ? [{ name: entry.name, key: entry.name.slice(0, -1) }] : [],
    ),
    objects: entries.flatMap((entry) =>
      entry.kind === 'object' ? [{ ...shownObject(entry.object), key: entry.object.name }] : [],
    ),
  })
}

function timeOf(entry: Entry, column: 'created_at' | 'updated_at'): TimeCursor {
  if (entry.kind === 'folder') return [null, entry.name]
  const { created, updated, name } = entry.object
  return [column === 'created_at' ? created : updated, name]
}

const timeCursor = z.tuple([z.number().nullable(), z.string()])

/** @throws InvalidRequest for a cursor that is of another order, or none */
function readTimeCursor(text: string | null): TimeCursor | null {
  const written = readCursor(text)
  if (written === '') return null
  try {
    return timeCursor.parse(JSON.parse(written))
  } catch {
    throw errors.invalidStorageRequest('the cursor is none of ours')
  }
}

const writeCursor = (name: string) => btoa(encodeURIComponent(name))

function readCursor(text: string | null): string {
  if (text === null || text === '') return ''
  try {
    return decodeURIComponent(atob(text))
  } catch {
    throw errors.invalidStorageRequest('the cursor is none of ours')
  }
}
