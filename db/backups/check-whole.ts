/**
 * Looks at all that a restore has laid: rows as the backup says, each where its slot is; foreign keys, lookups, copies and search as they must be.
 * @module
 */
import { keyedOf, readShapes } from '../moves/cargo.ts'
import { beforeAll } from '../moves/look-at.ts'
import { type Place, type Read, readChunk } from '../moves/read-rows.ts'
import { ownerOf, type ShardMap } from '../slots/shard-map.ts'
import { slotOf } from '../slots/slots.ts'
import { quoteName, quoteText } from '../sql/quote.ts'
import { referenceTables } from '../system/reference-triggers.ts'
import type { BackupWorld } from './backup-world.ts'
import { type Counted, RowSum } from './format.ts'
import type { Laid } from './plan-restore.ts'

/** What a look has found. */
export interface Finding {
  readonly check: string
  readonly isRight: boolean
  /** In words. */
  readonly says: string
}

/** Where a look at a table has come to. */
export interface CheckPlace extends Counted {
  readonly database: number
  readonly place: Place
  /** Rows whose slot is elsewhere. */
  readonly astray: number
}

/** Characters of rows that one step looks at. */
const atOnce = 2_000_000
const firstPlace: Place = { after: beforeAll, chunk: 100 }

/**
 * Looks at the next rows of a table.
 *
 * @param expected null: whatever is there
 * @param at null: at the beginning
 */
export async function checkTable(
  { session, now, rest }: Pick<BackupWorld, 'session' | 'now' | 'rest'>,
  { table, isRouted }: Pick<Laid, 'table' | 'isRouted'>,
  map: ShardMap,
  expected: Counted | null,
  at: CheckPlace | null,
): Promise<{ readonly place: CheckPlace } | { readonly findings: readonly Finding[] }> {
  const { cluster } = session
  const databases = isRouted ? cluster.databases : [cluster.primary]
  const sum = at ? RowSum.from(at.sum, at.rows) : new RowSum()
  let { database, place, astray } = at ?? { database: 0, place: firstPlace, astray: 0 }
  const hasKey = table.key[0]?.name !== 'rowid'
  for (let length = 0; length < atOnce; ) {
    const name = databases[database]
    if (name === undefined) return { findings: findingsOf(table.name, isRouted, sum, expected, astray) }
    const [shape] = await readShapes(session, name, [table])
    if (!shape) break
    const read: Read = { ...shape, columns: table.columns, by: isRouted ? table.by : null }
    const start = now()
    const chunk = await readChunk(session, name, read, place, now)
    await rest(now() - start)
    if (chunk === null) {
      database++
      place = firstPlace
      continue
    }
    for (const { key, value, image } of chunk.rows) {
      sum.add(table.name, hasKey ? (key as string) : null, image as string)
      length += (image as string).length
      if (isRouted && ownerOf(map, slotOf((value as string | null) ?? '')) !== name) astray++
    }
    place = { after: chunk.after, chunk: chunk.chunk }
  }
  return { place: { database, place, astray, rows: sum.rows, sum: sum.text } }
}

function findingsOf(
  name: string,
  isRouted: boolean,
  sum: RowSum,
  expected: Counted | null,
  astray: number,
): Finding[] {
  const isRight = expected === null || (expected.rows === sum.rows && expected.sum === sum.text)
  const says = isRight
    ? `${sum.rows} rows${expected === null ? '' : ', as the backup says'}`
    : `${sum.rows} rows with the sum ${sum.text}; the backup has ${expected?.rows} with ${expected?.sum}`
  return [
    { check: `rows of ${name}`, isRight, says },
    ...(isRouted
      ? [
          {
            check: `places of ${name}`,
            isRight: astray === 0,
            says: astray === 0 ? 'each where its slot is' : `${astray} are not where their slots are`,
          },
        ]
      : []),
  ]
}

/** Looks at what all tables have in common. */
export async function checkWhole({ session, catalog, now, rest }: BackupWorld): Promise<Finding[]> {
  const { cluster } = session
  const findings: Finding[] = []
  const add = (check: string, wrong: string | null, right: string) =>
    findings.push({ check, isRight: wrong === null, says: wrong ?? right })
  for (const database of cluster.databases) {
    const [broken = []] = await session.on(database, [
      {
        text: 'SELECT "table" AS name, count(*) AS n FROM pragma_foreign_key_check GROUP BY 1',
        parameters: [],
      },
    ])
    const wrong = broken.map(({ name, n }) => `${n} rows of ${name} refer to nothing`).join(', ')
    add(`foreign keys on ${database}`, wrong === '' ? null : wrong, 'all lead to rows')
    for (const { name, search, placement } of catalog.tables.values()) {
      if (!search || (placement.kind === 'local' && database !== cluster.primary)) continue
      const index = quoteName(search.index)
      const wrongIndex = await session
        .on(database, [
          { text: `INSERT INTO ${index} (${index}, rank) VALUES ('integrity-check', 1)`, parameters: [] },
        ])
        .then(() => null)
        .catch((error) => String(error))
      add(`search of ${name} on ${database}`, wrongIndex, 'the same as its rows')
    }
  }
  if (!cluster.sharded) return findings
  for (const table of catalog.tables.values()) {
    for (const column of table.uniqueAcrossShards) {
      let [rows, entries] = [0, 0]
      for (const database of cluster.databases) {
        const [[found] = []] = await session.on(database, [
          {
            text: `SELECT (SELECT count(*) FROM ${quoteName(table.name)} WHERE ${quoteName(column)} IS NOT NULL) AS rows, (SELECT count(*) FROM _atoll_unique WHERE name = ${quoteText(`${table.name}.${column}`)}) AS entries`,
            parameters: [],
          },
        ])
        rows += Number(found?.rows)
        entries += Number(found?.entries)
      }
      const wrong = entries < rows ? `${entries} entries for ${rows} rows` : null
      add(`lookup of ${table.name}.${column}`, wrong, `${rows} values`)
    }
  }
  for (const table of referenceTables(catalog)) {
    const sums = new Map<string, string>()
    for (const database of cluster.databases) {
      const [shape] = await readShapes(session, database, [keyedOf(table)])
      if (!shape) continue
      const sum = new RowSum()
      for (let place = firstPlace; ; ) {
        const start = now()
        const chunk = await readChunk(session, database, { ...shape, by: null }, place, now)
        await rest(now() - start)
        if (chunk === null) break
        for (const { key, image } of chunk.rows) sum.add(table.name, key as string, image as string)
        place = chunk
      }
      sums.set(database, `${sum.rows} ${sum.text}`)
    }
    const truth = sums.get(cluster.primary)
    const others = [...sums].filter(([, sum]) => sum !== truth).map(([database]) => database)
    add(
      `copies of ${table.name}`,
      others.length === 0 ? null : `those on ${others.join(', ')} differ`,
      'the same everywhere',
    )
  }
  return findings
}
