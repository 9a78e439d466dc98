import { env } from 'cloudflare:workers'
import { eq } from 'drizzle-orm'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { Cluster } from '../../db/cluster/cluster.ts'
import { serviceCaller } from '../../functions/core/caller.ts'
import { createBucketPolicies } from '../../functions/storage/bucket-policies.ts'
import {
  cursorOf,
  type Entry,
  entryOf,
  listAll,
  listByTime,
  listLevel,
  type TimeCursor,
} from '../../functions/storage/list-objects.ts'
import { ObjectRights } from '../../functions/storage/object-access.ts'

/** Listings of random names, page by page, against what filtering them in JavaScript gives. */
const { DB } = env as unknown as { DB: D1Database }
const cluster = new Cluster(new Map([['DB', DB]]), { migrations: [], timeoutMs: 10_000 })
const session = () => cluster.open({ reads: false, seen: new Map() })

const policies = createBucketPolicies(
  {
    b: { access: { authenticated: { select: ({ caller, object }) => eq(object.folder(1), caller.sub) } } },
  },
  buildCatalog({}),
)
const rightsOf = (sub: string | null) =>
  new ObjectRights(
    policies,
    sub === null
      ? serviceCaller
      : { role: 'authenticated', sub, signedIn: true, claims: { sub }, key: 'token' },
  )

const segment = fc.constantFrom('a', 'b', 'aa', 'a b', 'A', 'é', '0', '%', '_', "'", '漢', '🎵', '-', '.x')
const name = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))

/** SQLite compares text by its bytes, as UTF-8 orders characters. */
const byBytes = (a: string, b: string) =>
  compareBytes(new TextEncoder().encode(a), new TextEncoder().encode(b))

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (a[i] !== b[i]) return (a[i] as number) - (b[i] as number)
  }
  return a.length - b.length
}

function levelOf(names: readonly string[], prefix: string): string[] {
  const found = names.filter((one) => one.startsWith(prefix))
  const entries = found.map((one) => {
    const slash = one.indexOf('/', prefix.length)
    return slash < 0 ? one : one.slice(0, slash + 1)
  })
  return [...new Set(entries)].sort(byBytes)
}

const nameOf = (entry: Entry) => (entry.kind === 'folder' ? entry.name : entry.object.name)

async function put(names: readonly string[]): Promise<void> {
  await DB.batch([
    DB.prepare('DELETE FROM _atoll_objects'),
    DB.prepare(
      `INSERT INTO _atoll_objects (bucket, name, id, blob, size, mime, etag, cache_control, created, updated)
       SELECT b.value, n.value, b.value || n.value, b.value || n.value, 1, 'a/b', '""', '', 1, 1 FROM json_each(?) AS n, json_each('["b","c"]') AS b`,
    ).bind(JSON.stringify(names)),
  ])
}

beforeEach(async () => {
  await DB.prepare('DELETE FROM _atoll_objects').run()
})

describe('a listing', () => {
  it('shows each entry of a level once and in order, page by page, and only what the caller may see', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(name, { maxLength: 25 }),
        fc.constantFrom('', 'a/', 'a', 'b/a/', 'é/', 'A/', 'z/'),
        fc.integer({ min: 1, max: 6 }),
        fc.constantFrom(null, 'a', 'A', 'none'),
        fc.boolean(),
        async (names, prefix, limit, sub, isDescending) => {
          await put(names)
          const rule = rightsOf(sub).rule('b', 'select')
          const visible = names.filter(
            (one) => sub === null || (one.includes('/') && one.split('/')[0] === sub),
          )
          const wanted = levelOf(visible, prefix)
          if (isDescending) wanted.reverse()
          const shown: string[] = []
          let after = ''
          for (let page = 0; page < 40; page++) {
            const [rows = []] = await session().primary([
              listLevel({ bucket: 'b', prefix, after, limit, isDescending }, rule),
            ])
            const entries = rows.map(entryOf)
            expect(entries.length).toBeLessThanOrEqual(limit)
            shown.push(...entries.map(nameOf))
            const last = entries.at(-1)
            if (!last) break
            after = cursorOf(last, isDescending)
          }
          expect(shown).toEqual(wanted)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('shows everything below a prefix in order, page by page', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(name, { maxLength: 25 }),
        fc.constantFrom('', 'a/', 'a', 'é'),
        fc.integer({ min: 1, max: 7 }),
        fc.boolean(),
        async (names, prefix, limit, isDescending) => {
          await put(names)
          const shown: string[] = []
          for (let after = ''; ; after = shown.at(-1) as string) {
            const [rows = []] = await session().primary([
              listAll(
                { bucket: 'b', prefix, after, limit, isDescending },
                rightsOf(null).rule('b', 'select'),
              ),
            ])
            shown.push(...rows.map((row) => row.name as string))
            if (rows.length < limit) break
          }
          const wanted = names.filter((one) => one.startsWith(prefix)).sort(byBytes)
          expect(shown).toEqual(isDescending ? wanted.reverse() : wanted)
        },
      ),
      { numRuns: 30 },
    )
  })

  it('by time begins with folders, and goes on behind equal times by name, page by page', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(name, { maxLength: 25 }),
        fc.constantFrom('', 'a/', 'a'),
        fc.integer({ min: 1, max: 6 }),
        fc.boolean(),
        fc.boolean(),
        fc.constantFrom<'created_at' | 'updated_at'>('created_at', 'updated_at'),
        async (names, prefix, limit, isDescending, byFolder, column) => {
          await put(names)
          await DB.prepare(
            'UPDATE _atoll_objects SET created = length(name) % 3, updated = length(name) % 2',
          ).run()
          const timeOf = (one: string) => [...one].length % (column === 'created_at' ? 3 : 2)
          const found = names.filter((one) => one.startsWith(prefix))
          const isInFolder = (one: string) => byFolder && one.indexOf('/', prefix.length) >= 0
          const folders = byFolder ? levelOf(found, prefix).filter((one) => one.endsWith('/')) : []
          const objects = found
            .filter((one) => !isInFolder(one))
            .sort((a, b) => (isDescending ? -1 : 1) * (timeOf(a) - timeOf(b)) || byBytes(a, b))
          const shown: string[] = []
          let after: TimeCursor | null = null
          for (let page = 0; page < 40; page++) {
            const level = { bucket: 'b', prefix, limit, isDescending }
            const [rows = []]: Awaited<ReturnType<ReturnType<typeof session>['primary']>> =
              await session().primary([
                listByTime(level, rightsOf(null).rule('b', 'select'), column, byFolder, after),
              ])
            const entries = rows.map(entryOf)
            shown.push(...entries.map(nameOf))
            const last = entries.at(-1)
            if (!last) break
            after = last.kind === 'folder' ? [null, last.name] : [timeOf(last.object.name), last.object.name]
          }
          expect(shown).toEqual([...folders, ...objects])
        },
      ),
      { numRuns: 60 },
    )
  })
})
