/**
 * What an app declares of files: which buckets there are, and who may do what in them.
 * @module
 */
import { type SQL, sql } from 'drizzle-orm'
import { type QueryBuilder, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { PolicyCaller } from './policy.ts'

/** The table of objects in `DB`. */
export const objectsTable = '_atoll_objects'

/** An object's row, as conditions see it. */
export const storedObjects = sqliteTable(objectsTable, {
  bucket: text('bucket').notNull(),
  name: text('name').notNull(),
  mime: text('mime').notNull(),
  owner: text('owner'),
})

/** An object, for conditions. */
export const policyObject = {
  bucket: storedObjects.bucket,
  /** Its path in the bucket: `7/2026/invoice.pdf`. */
  name: storedObjects.name,
  /** The `sub` of who wrote it; null when that was the secret key. */
  owner: storedObjects.owner,
  /** Its content type. */
  mime: storedObjects.mime,
  /** A folder of its path, the first is 1; null when there are not so many. */
  folder: (n: number): SQL<string | null> => {
    if (!Number.isInteger(n) || n < 1) throw new Error('folders are counted from 1')
    return folderOf(n)
  },
} as const

/** The name as a JSON array of its segments, of which all but the last are folders. */
function folderOf(n: number): SQL<string | null> {
  const { name } = storedObjects
  const segments = sql`'[' || replace(json_quote(${name}), '/', '","') || ']'`
  const slashes = sql`length(${name}) - length(replace(${name}, '/', ''))`
  return sql<
    string | null
  >`CASE WHEN ${slashes} >= ${sql.raw(String(n))} THEN json_extract(${segments}, ${sql.raw(`'$[${n - 1}]'`)}) END`
}

export type PolicyObject = typeof policyObject

/** What a condition on objects is made from. */
export interface ObjectContext {
  readonly caller: PolicyCaller
  readonly object: PolicyObject
  /** Begins a subquery, on local and reference tables: they lie where objects' rows do. */
  readonly query: QueryBuilder
}

/**
 * A Drizzle condition over object and caller, or plainly true or false. What is not true is denied, null as well.
 *
 * @example ({ caller, object }) => eq(object.folder(1), caller.sub)
 * @example
 * // Members of the group that a folder is named for.
 * ({ caller, object, query }) =>
 *   inArray(object.folder(1), query.select({ id: members.groupId }).from(members).where(eq(members.userId, caller.sub)))
 */
export type ObjectCondition = (context: ObjectContext) => SQL | boolean | undefined

/** What one role may do with a bucket's objects; what is left out is denied. */
export interface ObjectGrants {
  /** Download, list, look at, sign addresses of. */
  readonly select?: true | ObjectCondition
  /** Upload to names that are free. */
  readonly insert?: true | ObjectCondition
  /** Replace; asked of what is there and of what comes in its place. */
  readonly update?: true | ObjectCondition
  readonly delete?: true | ObjectCondition
}

export interface BucketOptions {
  /** Whether everybody may download its objects, whatever `access` says. Default false. */
  readonly public?: boolean
  /** Largest object, in bytes. Default: the app's `storageMaxObjectBytes`. */
  readonly maxBytes?: number
  /** Content types that it takes; `image/*` for all of a kind. Default all. */
  readonly mimeTypes?: readonly string[]
  /** Grants by role; the secret key may do everything. Default none. */
  readonly access?: Readonly<Record<string, ObjectGrants>>
}

/** Buckets by their names. */
export type StorageDeclarations = Readonly<Record<string, BucketOptions>>

/**
 * Declares the buckets of `db/app/storage.ts`; they are made when the databases are migrated. Others may be made by the secret
 * key, which alone can use them, but for downloads from public ones.
 *
 * @example
 * export default defineStorage({
 *   covers: { public: true, mimeTypes: ['image/*'], maxBytes: 1_000_000 },
 *   documents: { access: { authenticated: { select: ({ caller, object }) => eq(object.folder(1), caller.sub) } } },
 * })
 */
export function defineStorage<const D extends StorageDeclarations>(declarations: D): D {
  return declarations
}
