/**
 * Backups under a hostile schedule: the real code, statements and triggers on SQLite in memory. Between any two calls rows are written, by hand, on any
 * database; whoever makes the backup or restores it dies now and then, before a call or after it. What a restore lays into another number of databases
 * must be what a plain record in TypeScript says that each database held at the position that the manifest names.
 *
 * Increments follow the full backup: between them rows are written, slots move, migrations change rows, and logs are cut off, behind those who keep them
 * or too far. Then rules prune, and one of those that are left is restored.
 *
 * Longer than other files, as what is written, what happens and what is judged share one record.
 */
import type { DatabaseSync } from 'node:sqlite'
import { type AnySQLiteColumn, blob, index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { BackupFiles, BackupWorld } from '../../db/backups/backup-world.ts'
import type { Run } from '../../db/backups/backups.ts'
import type { AskedRestore } from '../../db/backups/plan-restore.ts'
import type { RestoreProgress } from '../../db/backups/restore-backup.ts'
import type { VerifyProgress } from '../../db/backups/verify-backup.ts'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { changeTriggers } from '../../db/changes/change-triggers.ts'
import { defineTables, distributed, local, reference } from '../../db/define.ts'
import { evenRanges, ownerOf, type ShardMap } from '../../db/slots/shard-map.ts'
import { slotOf } from '../../db/slots/slots.ts'
import { referenceTriggers } from '../../db/system/reference-triggers.ts'
import { primaryObjects } from '../../db/system/system-objects.ts'
import { seededRandom } from '../support/seeded-random.ts'
import type { BackupsCode } from './backups-code.ts'
import { cutLog, migrate, moveSlot } from './backups-events.ts'
import { hookedD1 } from './hooked-d1.ts'
import { openMemory } from './memory-database.ts'

const kinds = sqliteTable('kinds', {
  id: integer('id').primaryKey(),
  name: text('name').notNull(),
  above: integer('above').references((): AnySQLiteColumn => kinds.id),
})
const owners = sqliteTable('owners', { id: text('id').primaryKey(), email: text('email').unique() })
const items = sqliteTable(
  'items',
  {
    id: text('id').primaryKey(),
    owner: text('owner')
      .notNull()
      .references(() => owners.id),
    kind: integer('kind').references(() => kinds.id),
    above: text('above').references((): AnySQLiteColumn => items.id),
    n: integer('n').notNull(),
    note: text('note'),
  },
  (table) => [index('items_owner').on(table.owner)],
)
const settings = sqliteTable('settings', { id: blob('id').primaryKey(), value: text('value') })
const catalog = buildCatalog(
  defineTables({
    // The order is not that of who refers to whom.
    items: distributed(items, { by: 'owner', ids: 'free' }),
    kinds: reference(kinds),
    owners: distributed(owners, { by: 'id', uniqueAcrossShards: ['email'] }),
    settings: local(settings),
  }),
)
const tables = [
  'CREATE TABLE kinds (id INTEGER PRIMARY KEY, name TEXT NOT NULL, above INTEGER REFERENCES kinds (id))',
  'CREATE TABLE owners (id TEXT PRIMARY KEY, email TEXT UNIQUE)',
  'CREATE TABLE items (id TEXT PRIMARY KEY, owner TEXT NOT NULL REFERENCES owners (id), kind INTEGER REFERENCES kinds (id), above TEXT REFERENCES items (id), n INTEGER NOT NULL, note TEXT)',
  'CREATE TABLE settings (id BLOB PRIMARY KEY, value TEXT)',
  // No table of the app's declarations: nothing logs it.
  'CREATE TABLE loose (n INTEGER, note TEXT)',
]
/** By name, the columns in their order. */
const columns: Readonly<Record<string, readonly string[]>> = {
  kinds: ['id', 'name', 'above'],
  owners: ['id', 'email'],
  items: ['id', 'owner', 'kind', 'above', 'n', 'note'],
  settings: ['id', 'value'],
  loose: ['n', 'note'],
}

class Died extends Error {}

type Cell = string | number | null | Uint8Array
type Rows = Map<string, readonly Cell[]>
/** What a database holds, by table and key; texts, as they compare. */
type State = ReadonlyMap<string, string>

export interface RunOptions {
  readonly seed: number
  readonly code: BackupsCode
  /** Of a hundred calls, how many kill whoever makes them. */
  readonly deaths: number
  /** How many databases there are, and how many it is restored into. */
  readonly from: number
  readonly into: number
  /** How many increments follow the full backup. */
  readonly increments: number
}

const cellText = (cell: Cell) =>
  cell instanceof Uint8Array ? `x${Buffer.from(cell).toString('hex')}` : JSON.stringify(cell)

interface World {
  readonly names: readonly string[]
  readonly databases: ReadonlyMap<string, DatabaseSync>
  map: ShardMap
  readonly world: BackupWorld
}

/** @returns what went wrong, in words; null for nothing */
export async function runBackups({
  seed,
  code,
  deaths,
  from,
  into,
  increments,
}: RunOptions): Promise<string | null> {
  const random = seededRandom(seed)
  const below = (n: number) => Math.floor(random() * n)
  const files = memoryFiles()
  let around: (when: 'before' | 'after') => void = () => undefined
  const signer = {
    sign: async (signed: string) => Buffer.from(`${signed.length}`).toString('hex').padStart(64, '0'),
  }

  const openWorld = (count: number): World => {
    const names = ['DB', ...Array.from({ length: count - 1 }, (_, i) => `SHARD_${i + 1}`)]
    const ranges = evenRanges(names)
    const map = { epoch: 0, ranges, epochs: new Map(names.map((name) => [name, 0] as const)) }
    const databases = new Map(names.map((name) => [name, openDatabase(name, map)]))
    const bindings = new Map(
      [...databases].map(([name, database]) => [name, hookedD1(database, (when) => around(when))]),
    )
    const cluster = new code.Cluster(bindings, { migrations: [], catalog, timeoutMs: 60_000 })
    const session = cluster.open({ reads: false, seen: new Map() })
    return {
      names,
      databases,
      map,
      world: {
        session,
        catalog,
        files,
        signer,
        now: () => 0,
        forget: async () => undefined,
        rest: async () => undefined,
        partLength: 3000,
        keepsLogs: increments > 0,
      },
    }
  }

  // --- rows, and the record of them ---------------------------------------------------------------------------------------
  const source = openWorld(from)
  const record = new Map(
    source.names.map((name) => [
      name,
      new Map(Object.keys(columns).map((table) => [table, new Map() as Rows])),
    ]),
  )
  /** What each database held after each of its transactions, by the end of its log. */
  const history = new Map(source.names.map((name) => [name, new Map<number, State>()]))
  const stateOf = (name: string): State =>
    new Map(
      [...(record.get(name) as Map<string, Rows>)].flatMap(([table, rows]) =>
        [...rows].map(([key, cells]) => [`${table} ${key}`, cells.map(cellText).join(' ')] as const),
      ),
    )
  const rowsOf = (name: string, table: string) => record.get(name)?.get(table) as Rows
  const logEnd = (name: string) =>
    Number(
      source.databases
        .get(name)
        ?.prepare("SELECT ifnull((SELECT seq FROM sqlite_sequence WHERE name = '_atoll_changes'), 0) AS n")
        .get()?.n,
    )
  let serial = 0
  const pick = <Item>(list: readonly Item[]) => list[below(list.length)]
  const notes = ['plain', 'ü "quoted" \\ \n line', 'zero\0in it', null, '{"blob":"00"}', 'x'.repeat(300)]

  const put = (name: string, table: string, cells: readonly Cell[]) => {
    const own = columns[table] as readonly string[]
    const marks = own.map(() => '?').join(', ')
    const updates = own.map((column) => `${column} = excluded.${column}`).join(', ')
    const conflict = table === 'loose' ? '' : ` ON CONFLICT (id) DO UPDATE SET ${updates}`
    source.databases
      .get(name)
      ?.prepare(`INSERT INTO ${table} (${own.join(', ')}) VALUES (${marks})${conflict}`)
      .run(...cells)
    rowsOf(name, table).set(cellText(cells[0] as Cell), cells)
  }
  const drop = (name: string, table: string, key: Cell) => {
    source.databases
      .get(name)
      ?.prepare(`DELETE FROM ${table} WHERE ${table === 'loose' ? 'n' : 'id'} = ?`)
      .run(key)
    rowsOf(name, table).delete(cellText(key))
  }
  const ownerFor = (name: string): string => {
    for (;;) {
      const id = `o${below(100_000)}`
      if (ownerOf(source.map, slotOf(id)) === name) return id
    }
  }
  const writeItem = (name: string, old: readonly Cell[] | undefined) => {
    const owner = (old?.[1] ?? pick([...rowsOf(name, 'owners').values()])?.[0]) as string | undefined
    if (owner === undefined) return
    const above =
      pick([...rowsOf(name, 'items').values()].filter((row) => row[1] === owner && row !== old))?.[0] ?? null
    const kind = name === 'DB' ? (pick([...rowsOf('DB', 'kinds').values()])?.[0] ?? null) : null
    put(name, 'items', [
      old?.[0] ?? `i${++serial}`,
      owner,
      kind,
      below(2) === 0 ? above : null,
      ++serial,
      pick(notes) ?? null,
    ])
  }
  const isReferred = (name: string, key: Cell) =>
    [...rowsOf(name, 'items').values()].some((row) => row[1] === key || row[3] === key)
  const isKindReferred = (key: Cell) =>
    [...rowsOf('DB', 'items').values()].some((row) => row[2] === key) ||
    [...rowsOf('DB', 'kinds').values()].some((row) => row[2] === key)
  const writeOne = (name: string) => {
    const choice = below(name === 'DB' ? 10 : 6)
    const list = [...rowsOf(name, 'items').values()]
    const someItem = pick(list)
    if (choice === 0) {
      // Written together: one is never there without the other.
      const id = ownerFor(name)
      put(name, 'owners', [id, `${id}@example.com`])
      put(name, 'items', [`i${++serial}`, id, null, null, ++serial, 'first'])
    } else if (choice === 1) writeItem(name, undefined)
    else if (choice <= 3) writeItem(name, someItem)
    else if (choice === 4) {
      if (someItem && !isReferred(name, someItem[0] as Cell)) drop(name, 'items', someItem[0] as Cell)
    } else if (choice === 5) {
      const owner = pick([...rowsOf(name, 'owners').keys()])
      const key = owner === undefined ? undefined : rowsOf(name, 'owners').get(owner)?.[0]
      if (key !== undefined && !isReferred(name, key as Cell)) drop(name, 'owners', key as Cell)
    } else if (choice === 6) {
      // One that comes first may refer to one that comes later.
      const known = [...rowsOf('DB', 'kinds').values()]
      put('DB', 'kinds', [
        pick(known)?.[0] ?? ++serial,
        `kind ${++serial}`,
        below(2) === 0 ? (pick(known)?.[0] ?? null) : null,
      ])
      put('DB', 'kinds', [++serial, `kind ${serial}`, null])
    } else if (choice === 7) {
      const kind = pick([...rowsOf('DB', 'kinds').values()])?.[0]
      if (kind !== undefined && !isKindReferred(kind as Cell)) drop('DB', 'kinds', kind as Cell)
    } else if (choice === 8) put('DB', 'settings', [Uint8Array.from([below(8), 0]), `value ${++serial}`])
    else put('DB', 'loose', [++serial, 'not declared'])
  }
  const write = () => {
    const name = pick(source.names) as string
    const database = source.databases.get(name) as DatabaseSync
    database.exec('BEGIN')
    for (let i = below(3); i >= 0; i--) writeOne(name)
    // Whatever is not logged would be of no known position.
    database.exec("INSERT INTO _atoll_changes (name, operation, key, at) VALUES ('tick', 'insert', '[]', 0)")
    database.exec('COMMIT')
    history.get(name)?.set(logEnd(name), stateOf(name))
  }

  // --- the run -------------------------------------------------------------------------------------------------------------
  let isInside = false
  const die = () => {
    if (!isInside && below(100) < deaths) throw new Died('died')
  }
  let writes = 0
  const writing = (when: 'before' | 'after') => {
    die()
    if (when === 'after' || isInside || writes > 400) return
    for (let i = below(3); i > 0; i--, writes++) write()
    if (below(10) === 0) cutLog(source.databases.get(pick(source.names) as string) as DatabaseSync)
  }
  for (const name of source.names) history.get(name)?.set(0, stateOf(name))
  for (let i = 0; i < 250; i++) write()

  const inside = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    isInside = true
    const result = await work()
    isInside = false
    return result
  }
  const remember = (name: string) => history.get(name)?.set(logEnd(name), stateOf(name))
  let epoch = 0
  /** Slots with rows go elsewhere, whatever the log says. @returns whether one did */
  const move = (): boolean => {
    const owners = source.names.slice(1).flatMap((name) => [...rowsOf(name, 'owners').values()])
    const id = pick(owners)?.[0] as string | undefined
    if (id === undefined) return false
    const slot = slotOf(id)
    const from = ownerOf(source.map, slot)
    const to = pick(source.names.filter((name) => name !== from)) as string
    source.map = moveSlot(source.databases, [from, to], slot, ++epoch)
    for (const [table, by] of [
      ['owners', 0],
      ['items', 1],
    ] as const) {
      for (const [key, cells] of [...rowsOf(from, table)]) {
        if (slotOf(cells[by] as string) !== slot) continue
        rowsOf(from, table).delete(key)
        rowsOf(to, table).set(key, cells)
      }
    }
    remember(from)
    remember(to)
    return true
  }
  /** What happens between two backups. @returns why the next one must be a full one; null: it must not */
  const happens = async (): Promise<string | null> => {
    for (let i = below(60); i > 0; i--) write()
    const choice = below(8)
    let why: string | null = null
    if (choice === 0 && move()) why = 'that slots moved'
    else if (choice === 1) {
      for (const [name, database] of source.databases) {
        migrate(database, `migration ${++serial}`)
        for (const [key, cells] of rowsOf(name, 'items'))
          if ((cells[4] as number) % 3 === 0) rowsOf(name, 'items').set(key, cells.with(5, 'migrated'))
        remember(name)
      }
      why = 'that the schema has changed'
    } else if (choice === 2) {
      const name = pick(source.names) as string
      for (let i = 0; i < 8; i++) write()
      const bounds = { maxAgeMs: Number.MAX_VALUE, maxRows: 2 }
      const lost = await inside(() => code.pruneChanges(source.world.session, name, [], bounds))
      if (lost.length > 0) why = 'that the log was cut off'
    }
    for (const database of source.databases.values()) cutLog(database)
    for (let i = below(20); i > 0; i--) write()
    return why
  }

  type Kind = Run['kind']
  const drive = async ({ world }: World, kind: Kind, id: string, asked: object) => {
    isInside = true
    await world.session.primary([code.insertRun(id, kind, asked, 0)])
    isInside = false
    let worker = new Worker(code, world)
    for (let steps = 0; steps < 5000; steps++) {
      try {
        const run = await code.nextRun(world.session)
        if (run === null) break
        await worker.step(run)
      } catch (error) {
        if (!isDeath(error) && !String(error).includes('could not be brought up')) throw error
        worker = new Worker(code, world)
      }
    }
    isInside = true
    const run = await code.readRun(world.session, id)
    isInside = false
    return run
  }
  around = writing
  const wholeOnes = new Set<string>()
  let unsaid: string | null = null
  for (let i = 0; i <= increments; i++) {
    const told = i === 0 ? 'asked' : await happens()
    writes = 0
    const made = await drive(source, i === 0 ? 'full' : 'increment', `b${i}`, {})
    if (made?.state !== 'done') return `backup ${i} is ${made?.state}: ${made?.error}`
    const { kind, instead } = await code.readManifest(source.world, `b${i}`)
    if (kind === 'full') wholeOnes.add(`b${i}`)
    // Otherwise nothing would be tried.
    if (told === null && kind === 'full') return `backup ${i} is a full one: ${instead}`
    if (told !== null && told !== 'asked' && instead === undefined)
      unsaid = `backup ${i} does not say ${told}`
  }
  around = die
  const gone = below(2) === 0 ? (await inside(() => code.prune(source.world, {}))).gone : []
  const last = `b${increments}`
  const left = Array.from({ length: increments + 1 }, (_, i) => `b${i}`).filter((id) => !gone.includes(id))
  const needed = left.slice(left.findLastIndex((id) => wholeOnes.has(id)))
  if (gone.length > 0 && left.length !== needed.length) return `${left.join(', ')} are kept for ${last}`
  const backup = pick(left) as string
  const verified = await drive(source, 'verify', 'v', { backup })
  if (verified?.state !== 'done') return `the verification is ${verified?.state}: ${verified?.error}`
  const bad = (verified.progress as VerifyProgress).findings.filter(({ isRight }) => !isRight)
  if (bad.length > 0) return `the verification says ${JSON.stringify(bad)}`
  const target = openWorld(into)
  const asked: AskedRestore = {
    backup,
    into: 'empty',
    tables: null,
    value: null,
    conflict: 'lacking',
    jobs: true,
  }
  const restored = await drive(target, 'restore', 'r', asked)
  if (restored?.state !== 'done') return `the restore is ${restored?.state}: ${restored?.error}`
  const wrong = (restored.progress as RestoreProgress).findings.filter(({ isRight }) => !isRight)
  if (wrong.length > 0) return `the restore says ${JSON.stringify(wrong)}`

  // --- the judgement -------------------------------------------------------------------------------------------------------
  around = () => undefined
  const manifest = await code.readManifest(target.world, backup)
  for (const { name, position } of manifest.databases) {
    const cursor = source.databases
      .get(name)
      ?.prepare("SELECT count(*) AS n FROM _atoll_cursors WHERE consumer GLOB 'backup:*'")
      .get()
    // From the last one on, when increments are asked for.
    if (cursor?.n !== (increments === 0 ? 0 : 1)) return `${name} keeps its log ${cursor?.n} times`
    if (!history.get(name)?.has(position)) return `no transaction of ${name} ended at ${position}`
  }
  const wanted = new Map(
    manifest.databases.flatMap(({ name, position }) => [
      ...((history.get(name) as Map<number, State>).get(position) as State),
    ]),
  )
  const found = new Map<string, string>()
  for (const [name, database] of target.databases) {
    for (const [table, own] of Object.entries(columns)) {
      if (name !== 'DB' && table !== 'owners' && table !== 'items') continue
      for (const row of database.prepare(`SELECT ${own.join(', ')} FROM ${table}`).all()) {
        const cells = own.map((column) => row[column] as Cell)
        const key = `${table} ${cellText(cells[0] as Cell)}`
        if (found.has(key)) return `${key} is there twice`
        found.set(key, cells.map(cellText).join(' '))
        const by = table === 'owners' ? row.id : table === 'items' ? row.owner : null
        if (by !== null && ownerOf(target.map, slotOf(by as string)) !== name)
          return `${key} is on ${name}, where its slot is not`
      }
    }
    const copies = database.prepare('SELECT count(*) AS n FROM kinds').get()?.n
    if (copies !== [...wanted.keys()].filter((key) => key.startsWith('kinds ')).length)
      return `${name} has ${copies} kinds`
    if (database.prepare('PRAGMA foreign_key_check').all().length > 0)
      return `rows on ${name} refer to nothing`
    // Copies of reference tables are told, so that caches hear of them.
    const told = database.prepare("SELECT count(*) AS n FROM _atoll_changes WHERE name <> 'kinds'").get()?.n
    if (told !== 0) return `${name} logs what was restored`
  }
  for (const [key, cells] of wanted)
    if (found.get(key) !== cells) return `${key} is ${found.get(key)} instead of ${cells}`
  for (const key of found.keys()) if (!wanted.has(key)) return `${key} was not there`
  return unsaid
}

/** Whether it was thrown by a call that died, under whatever name. */
function isDeath(error: unknown): boolean {
  return (
    error instanceof Died || (error instanceof Error && error.cause !== undefined && isDeath(error.cause))
  )
}

/** Whoever is at work: what it knows is gone when it dies. */
class Worker {
  readonly #maker: InstanceType<BackupsCode['BackupMaker']>
  readonly #restorer: InstanceType<BackupsCode['BackupRestorer']>
  readonly #verifier: InstanceType<BackupsCode['BackupVerifier']>

  constructor(code: BackupsCode, world: BackupWorld) {
    this.#maker = new code.BackupMaker(world)
    this.#restorer = new code.BackupRestorer(world)
    this.#verifier = new code.BackupVerifier(world)
  }

  step(run: Run) {
    if (run.kind === 'verify') return this.#verifier.step(run)
    return run.kind === 'restore' ? this.#restorer.step(run) : this.#maker.step(run)
  }
}

function memoryFiles(): BackupFiles {
  const files = new Map<string, Uint8Array>()
  return {
    put: async (key, bytes) => void files.set(key, bytes),
    get: async (key) => files.get(key) ?? null,
    list: async (prefix) => [...files.keys()].filter((key) => key.startsWith(prefix)),
    remove: async (keys) => {
      for (const key of keys) files.delete(key)
    },
  }
}

function openDatabase(name: string, map: ShardMap): DatabaseSync {
  const isPrimary = name === 'DB'
  const isSharded = map.ranges.length > 1
  return openMemory([
    ...(isPrimary ? primaryObjects : []),
    ...tables,
    ...changeTriggers(catalog, isPrimary).values(),
    ...(isPrimary ? referenceTriggers(catalog).values() : []),
    ...map.ranges.flatMap(({ first, last, shard }) => [
      ...(shard === name ? [`INSERT INTO _atoll_slots (first, last) VALUES (${first}, ${last})`] : []),
      ...(isPrimary && isSharded
        ? [
            `INSERT INTO _atoll_shard_map VALUES (${first}, ${last}, '${shard}')`,
            `INSERT INTO _atoll_shards VALUES ('${shard}', 0)`,
          ]
        : []),
    ]),
    ...(isPrimary && isSharded ? ['INSERT INTO _atoll_cluster VALUES (1, 0)'] : []),
  ])
}
