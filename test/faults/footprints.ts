/**
 * Footprints of reads held against SQLite: requests of many kinds are planned, compiled and run as the engine does, then rows are written at
 * random. Whatever a footprint says is untouched by what the change log tells must be what the database answers. From seeds.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { type Change, changeOf } from '../../db/changes/change-log.ts'
import { changeTriggers } from '../../db/changes/change-triggers.ts'
import { createSearch } from '../../db/system/search-objects.ts'
import { Rights } from '../../functions/access/rights.ts'
import { defaultConfig } from '../../functions/areas.ts'
import { anonymousCaller, type Caller, serviceCaller } from '../../functions/core/caller.ts'
import { parseRequest } from '../../functions/rest/ask/parse-request.ts'
import { shapeOf } from '../../functions/rest/ask/shape.ts'
import { compileRead, joinedOf } from '../../functions/rest/compile/compile-read.ts'
import { bindParameters } from '../../functions/rest/compile/sql.ts'
import { planRequest } from '../../functions/rest/plan/plan-request.ts'
import { serveSchemas } from '../../functions/rest/plan/served-schemas.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { openMemory, transact } from './memory-database.ts'

/** The code under test, as it is or changed on purpose. */
export interface FootprintCode {
  readonly footprintsOf: typeof import('../../functions/rest/plan/footprints.ts').footprintsOf
  readonly isTouched: typeof import('../../functions/cache/footprint.ts').isTouched
  readonly stepOf: typeof import('../../functions/cache/change-window.ts').stepOf
}

export interface FootprintResult {
  /** The first answer that was kept and is not the database's any more; null: none. */
  readonly wrong: string | null
  /** Answers that a write left as they were, and those of them that were kept. */
  readonly same: number
  readonly kept: number
}

const catalog = buildCatalog(tables)
const [schema] = serveSchemas(catalog, {}, null)
const migrations = join(import.meta.dirname, '..', 'fixture-app', 'db', 'app', 'migrations')
const objects = [
  ...readdirSync(migrations)
    // The last one only gives rows other keys.
    .filter((name) => name.endsWith('.sql') && !name.startsWith('0003'))
    .sort()
    .flatMap((name) => readFileSync(join(migrations, name), 'utf8').split('--> statement-breakpoint')),
  ...changeTriggers(catalog, true).values(),
  ...[...catalog.tables.values()].flatMap(({ search }) => (search ? createSearch(search) : [])),
]

const words = ['Aria', 'Blue', 'Cello', 'Dusk', 'Echo']
const signedIn = (role: string, sub: string): Caller => ({
  role,
  sub,
  signedIn: true,
  claims: { sub },
  key: 'token',
})

export function runFootprints(code: FootprintCode, seed: number): FootprintResult {
  const random = seededRandom(seed)
  const below = (n: number) => Math.floor(random() * n)
  const one = <T>(of: readonly T[]): T => of[below(of.length)] as T
  const database = openMemory([...objects, 'PRAGMA foreign_keys = OFF'])
  const word = () => one(words)
  const id = (n: number) => 1 + below(n)

  /** Values of columns by table, as a write may set them. */
  const values: Readonly<Record<string, Readonly<Record<string, () => string | number | null>>>> = {
    artists: { name: word },
    albums: { title: word, artist_id: () => id(4) },
    tracks: {
      name: word,
      album_id: () => id(6),
      media_type_id: () => id(2),
      genre_id: () => (below(4) === 0 ? null : id(3)),
      composer: word,
      milliseconds: () => 60_000 * id(4),
      bytes: () => id(3),
      unit_price: () => id(3),
    },
    genres: { name: word },
    playlists: { name: word },
    playlist_tracks: { playlist_id: () => id(3), track_id: () => id(20) },
    customers: {
      first_name: word,
      last_name: word,
      city: word,
      email: () => `${seed}-${below(1e9)}@example.com`,
      support_rep_id: () => id(3),
    },
    invoices: {
      customer_id: () => id(5),
      invoice_date: word,
      billing_city: word,
      total: () => id(9),
    },
    invoice_items: {
      invoice_id: () => id(8),
      track_id: () => id(20),
      unit_price: () => id(3),
      quantity: () => id(3),
      customer_id: () => id(5),
    },
  }
  const rows = {
    artists: 4,
    albums: 6,
    tracks: 20,
    genres: 3,
    playlists: 3,
    customers: 5,
    invoices: 8,
    invoice_items: 15,
  }
  const sizes: Readonly<Record<string, number>> = { ...rows, playlist_tracks: 12 }
  const run = (text: string, ...parameters: (string | number | null)[]) =>
    transact(database, [{ text, parameters: parameters as string[] }], (same) => same)[0] ?? []
  const insert = (table: string, key: number | null) => {
    const set = Object.entries(values[table] ?? {}).map(([name, make]) => [name, make()] as const)
    const all = key === null ? set : [['id', key] as const, ...set]
    const marks = all.map(() => '?').join(', ')
    run(
      `INSERT OR IGNORE INTO ${table} (${all.map(([name]) => name).join(', ')}) VALUES (${marks})`,
      ...all.map(([, value]) => value),
    )
  }
  for (const [table, size] of Object.entries(sizes))
    for (let i = 1; i <= size; i++) insert(table, table === 'playlist_tracks' ? null : i)

  const read = () => {
    const [table, query, accept = 'application/json'] = one(requests(id, word))
    const caller = one([
      serviceCaller,
      anonymousCaller,
      signedIn('support', String(id(3))),
      signedIn('authenticated', String(id(5))),
    ])
    const headers = { method: 'GET', accept, prefer: 'count=exact', schema: 'public', range: null }
    const shape = shapeOf(table, new URLSearchParams(query), headers)
    const rights = new Rights(catalog, caller)
    const request = parseRequest(table, shape.parameters, headers, defaultConfig)
    const plan = planRequest(request, catalog, rights, { ...defaultConfig, schema, sharded: false })
    const compiled = compileRead(plan)
    const bindings = { operands: shape.operands, rights }
    const statements = [
      joinedOf({
        text: compiled.rows.text,
        parameters: bindParameters(compiled.rows, bindings),
      }),
      ...(compiled.count
        ? [{ text: compiled.count.text, parameters: bindParameters(compiled.count, bindings) }]
        : []),
    ]
    const ask = () => {
      const [found = [], counted = []] = transact(database, statements, (text) => text)
      return { body: found[0]?.r as string | null, total: String(counted[0]?.n) }
    }
    return {
      name: `${caller.role} ${caller.sub} ${table}?${query}`,
      ask,
      footprints: code.footprintsOf(plan, catalog),
    }
  }
  const entries: { read: ReturnType<typeof read>; answer: { body: string | null; total: string } }[] = []
  while (entries.length < 14) {
    try {
      const made = read()
      entries.push({ read: made, answer: made.ask() })
    } catch (error) {
      // What a role may not read at all.
      if (!(error instanceof Error && 'body' in error)) throw error
    }
  }

  const write = () => {
    const table = one(Object.keys(values))
    const columns = Object.entries(values[table] ?? {})
    const where = table === 'playlist_tracks' ? 'rowid' : 'id'
    const key = id(sizes[table] ?? 1)
    const kind = below(10)
    if (kind === 0) run(`DELETE FROM ${table} WHERE ${where} = ?`, key)
    else if (kind === 1) insert(table, table === 'playlist_tracks' ? null : key)
    else if (kind === 2 && table === 'tracks')
      run('UPDATE OR IGNORE tracks SET id = ? WHERE id = ?', id(20), key)
    else {
      const [name, make] = one(columns)
      run(`UPDATE OR IGNORE ${table} SET ${name} = ? WHERE ${where} IN (?, ?)`, make(), key, id(20))
    }
  }
  let [same, kept, swept] = [0, 0, 0]
  for (let i = 0; i < 40; i++) {
    write()
    const changes = run('SELECT * FROM _atoll_changes WHERE sequence > ? ORDER BY sequence', swept).map(
      changeOf,
    )
    swept = changes.at(-1)?.sequence ?? swept
    const byTable = Map.groupBy(changes, ({ table }) => table)
    for (const entry of entries) {
      const isKept = [...byTable].every(([table, own]) => isUntouched(code, entry, table, own))
      const now = entry.read.ask()
      const isSame = now.body === entry.answer.body && now.total === entry.answer.total
      if (isKept && !isSame) {
        database.close()
        const what = JSON.stringify(changes.map(({ table, key, columns }) => [table, key, columns]))
        const wrong = `${entry.read.name}: ${what} made ${JSON.stringify(entry.answer)} ${JSON.stringify(now)}`
        return { wrong, same, kept }
      }
      if (isSame) same++
      if (isKept) kept++
      entry.answer = now
    }
  }
  database.close()
  return { wrong: null, same, kept }
}

function isUntouched(
  { isTouched, stepOf }: FootprintCode,
  {
    read: { footprints },
    answer,
  }: { read: { footprints: ReturnType<FootprintCode['footprintsOf']> }; answer: { body: string | null } },
  table: string,
  changes: readonly Change[],
): boolean {
  const footprint = footprints.get(table)
  if (footprint === undefined) return true
  const step = stepOf(changes, 1, 1)
  if (footprint === null || step === null) return false
  const touches = JSON.parse(step.slice(step.indexOf('['))) as Parameters<typeof isTouched>[2][]
  return touches.every((touch) => !isTouched(footprint, answer.body, touch))
}

type Request = readonly [table: string, query: string, accept?: string]

function requests(id: (n: number) => number, word: () => string): readonly Request[] {
  return [
    ['tracks', `id=eq.${id(20)}`],
    ['tracks', `select=id,name,unit_price&order=id&limit=5&offset=${id(10)}`],
    ['tracks', `select=name,unit_price&limit=4`],
    ['tracks', `select=unit_price,number:id&order=milliseconds.desc,id&limit=6`],
    ['tracks', `select=id,unit_price&genre_id=eq.${id(3)}`],
    ['tracks', `select=id,composer&or=(name.eq.${word()},and(bytes.gt.1,unit_price.eq.${id(3)}))`],
    ['tracks', `select=id,bytes&name=fts.${word().toLowerCase()}`],
    ['tracks', `select=id,minutes&order=id`],
    ['tracks', `select=id,unit_price&minutes=gt.2`],
    ['tracks', `select=genre_id,count(),milliseconds.sum()`],
    ['tracks', `select=count()&unit_price=gt.1`],
    ['tracks', `select=id,name,albums(title,artists(id,name))&order=id&limit=8`],
    ['tracks', `select=id,...albums(title,artist_id)&order=id&limit=8`],
    ['tracks', `select=...albums(id,title),id&order=id&limit=5`],
    ['tracks', `select=id,unit_price,genres!inner(name)&genres.name=eq.${word()}`],
    ['tracks', `select=id,unit_price,albums()&order=albums(title),id&limit=5`],
    ['tracks', `select=id,same_length(id,name)&id=in.(1,2,3)`],
    ['tracks', `select=id,name,unit_price&id=in.(1,2,3)`, 'text/csv'],
    ['albums', `select=id,title,tracks(id,unit_price)&order=id&limit=3`],
    ['albums', `select=id,tracks(name)&tracks.order=milliseconds&tracks.limit=2&order=id`],
    ['albums', `select=title,longest_track(id,name)&order=id`],
    ['albums', `select=id,tracks(count)&order=id`],
    ['albums', `select=id,title,tracks()&tracks.unit_price=eq.${id(3)}&tracks=not.is.null`],
    ['playlists', `select=id,name,tracks(id,name)&order=id`],
    ['playlists', `select=name,tracks(unit_price)&order=id`],
    ['artists', `select=id,albums(id,tracks(id,unit_price))&id=eq.${id(4)}`],
    ['customers', `select=id,city,invoices(id,total,invoice_items(id,quantity,tracks(name)))&order=id`],
    ['customers', `select=first_name&order=id`],
    ['invoices', `select=id,total&order=id`],
    ['invoices', `select=id,billing_city,customers(city)&order=total,id&limit=4`],
    ['invoice_items', `select=id,quantity&order=id&limit=6`],
    ['invoice_items', `select=invoice_id,quantity.sum()`],
  ]
}
