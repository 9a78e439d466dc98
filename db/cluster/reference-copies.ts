/**
 * Copies of reference tables on the shards: after a write, the rows that changed follow in the order of the log. A shard
 * that was not reached catches up with the next copy.
 * @module
 */
import type { Catalog, Table } from '../catalog/catalog.ts'
import { parentsFirst } from '../catalog/parents-first.ts'
import type { ChangeSet } from '../changes/change-log.ts'
import { staleCopyMark } from '../errors/constraint-error.ts'
import { quoteName } from '../sql/quote.ts'
import type { BoundStatement, Row } from '../sql/statement.ts'
import { type CopiedColumn, copiedKey, copyText, rowArray } from '../system/copy-reference-tables.ts'
import { referenceTables } from '../system/reference-triggers.ts'
import { positionText, referencePosition } from './fence.ts'
import { layCopies } from './lay-copies.ts'
import type { ClusterSession } from './session.ts'
import { atHome, changesOf } from './track-changes.ts'

/**
 * The columns that reference tables have in a database, which may know more than this code does: rows are copied with all that both sides
 * have, so that a Worker of an older version loses nothing of a column that came after it.
 */
const columnsText = (catalog: Catalog): BoundStatement => ({
  text: `SELECT t.value AS name, json_group_array(json_array(c.name, lower(c.type) = 'blob')) AS columns
    FROM json_each(?1) AS t, pragma_table_xinfo(t.value) AS c WHERE c.hidden = 0 GROUP BY t.value`,
  parameters: [JSON.stringify(referenceTables(catalog).map(({ name }) => name))],
})

/** Columns by table. */
type Columns = ReadonlyMap<string, readonly CopiedColumn[]>

function readColumns(rows: readonly Row[]): Columns {
  return new Map(
    rows.map(({ name, columns }) => [
      name as string,
      (JSON.parse(columns as string) as [string, number][]).map(([column, isBlob]) => ({
        name: column,
        isBlob: isBlob === 1,
      })),
    ]),
  )
}

/** Entries of the log that are applied at once. */
const maxEntries = 2000

interface Entry {
  readonly sequence: number
  readonly name: string
  readonly key: string
}

/** Brings the copies on all shards up to the log, and renews what caches hold of them before it returns. */
export async function followReferences(session: ClusterSession, catalog: Catalog): Promise<void> {
  const changes = await copyReferences(session, catalog)
  if (changes.length > 0) await session.cluster.copied(changes, session)
}

/**
 * Brings the copies on all shards up to the log. Shards that fail stay behind, and are brought up later. What was not brought there by its
 * own writer is noted in the shard's change log, so that whatever was read of the old copy is renewed, whoever dies in between.
 *
 * @param own what the caller has just written, and will tell itself
 * @returns what has changed along with them: rows that refer to those that are gone, and rows that shards had lacked
 */
export async function copyReferences(
  session: ClusterSession,
  catalog: Catalog,
  own: readonly ChangeSet[] = [],
): Promise<ChangeSet[]> {
  const { cluster } = session
  if (!cluster.sharded) return []
  const writing = session.writing()
  const positions = await Promise.all(
    cluster.shards.map(async (shard) => {
      try {
        const [rows = [], columns = []] = await writing.on(shard, [
          {
            text: 'SELECT reference_sequence AS n, (SELECT json_group_array(DISTINCT token) FROM _atoll_retiring) AS tokens FROM _atoll_shard',
            parameters: [],
          },
          columnsText(catalog),
        ])
        const tokens = JSON.parse((rows[0]?.tokens as string | undefined) ?? '[]') as readonly string[]
        return { shard, applied: Number(rows[0]?.n ?? 0), columns: readColumns(columns), tokens }
      } catch {
        return null
      }
    }),
  )
  const reached = positions.filter((position) => position !== null)
  if (reached.length === 0) {
    // Nothing was copied, and the log says up to where it should be.
    const [last = []] = await writing.primary([
      { text: 'SELECT max(sequence) AS n FROM _atoll_reference_log', parameters: [] },
    ])
    session.note(referencePosition, positionText(Number(last[0]?.n ?? 0)))
    return []
  }
  const from = Math.min(...reached.map(({ applied }) => applied))
  let after = from
  const cascades: ChangeSet[] = []
  for (let behindThem = reached; ; ) {
    const start = after
    const [entries = [], columnsHere = [], living = []] = await writing.primary([
      {
        text: `SELECT sequence, name, key FROM _atoll_reference_log WHERE sequence > CAST(?1 AS INTEGER) ORDER BY sequence LIMIT ${maxEntries}`,
        parameters: [String(after)],
      },
      columnsText(catalog),
      { text: 'SELECT DISTINCT token FROM _atoll_retiring', parameters: [] },
    ])
    if (entries.length === 0) {
      const live = new Set(living.map(({ token }) => token as string))
      await Promise.all(reached.map(({ shard, tokens }) => forget(tokens, live, after, shard, writing)))
      break
    }
    const log = entries as unknown as readonly Entry[]
    after = (log.at(-1) as Entry).sequence
    const behind = behindThem.filter(({ applied }) => applied < after)
    const alike = Map.groupBy(behind, ({ columns }) => JSON.stringify([...columns]))
    const done = await Promise.all(
      [...alike.values()].map(async (shards) => {
        const [{ columns }] = shards as [(typeof shards)[number]]
        const statements = await statementsFor(
          log,
          [start, after],
          writing,
          catalog,
          readColumns(columnsHere),
          columns,
          own,
        )
        return Promise.all(
          shards.map(async (one) => ({
            one,
            outcome: await layCopies(one.shard, statements, writing, catalog),
          })),
        )
      }),
    ).then((groups) => groups.flat())
    // Who lacks a part of the log does not get the next.
    behindThem = behindThem.filter((one) => !done.some((laid) => laid.one === one && laid.outcome === null))
    const laid = await changesOf(
      done.flatMap(({ outcome }) => (outcome === null ? [] : [outcome])),
      writing,
      catalog,
    )
    cascades.push(...laid.flatMap((set) => atHome(set, catalog, cluster.primary)))
  }
  session.note(referencePosition, positionText(after))
  if (reached.length === cluster.shards.length) {
    await writing.primary([
      {
        text: 'DELETE FROM _atoll_reference_log WHERE sequence <= CAST(?1 AS INTEGER)',
        parameters: [String(from)],
      },
    ])
  }
  return cascades
}

/**
 * A shard forgets what was about to go: tokens that it knew, and that the primary database did not have any more later on. Whatever went
 * under them is in the log, so the shard's copies must be as new.
 */
async function forget(
  known: readonly string[],
  living: ReadonlySet<string>,
  upTo: number,
  shard: string,
  session: ClusterSession,
): Promise<void> {
  const over = known.filter((token) => !living.has(token))
  if (over.length === 0) return
  const text =
    'DELETE FROM _atoll_retiring WHERE token IN (SELECT value FROM json_each(?1)) AND (SELECT reference_sequence FROM _atoll_shard) >= CAST(?2 AS INTEGER)'
  await session.on(shard, [{ text, parameters: [JSON.stringify(over), String(upTo)] }]).catch(() => undefined)
}

/** Takes rows away by their keys, a JSON array of arrays. */
export function deleteCopiesText(table: Table): string {
  return `DELETE FROM ${quoteName(table.name)} WHERE ${matchesKeys(table)}`
}

/** That a row's key is in a parameter, a JSON array of arrays, whose positions are those of the key when nothing is said. */
function matchesKeys(
  table: Table,
  list = '?1',
  positionOf: (name: string, i: number) => number = (_, i) => i,
): string {
  const names = table.primaryKey.map(quoteName)
  const values = table.primaryKey.map((name, i) => `value->>${positionOf(name, i)}`)
  const listed = `SELECT ${values.join(', ')} FROM json_each(${list})`
  return names.length === 1 ? `${names[0]} IN (${listed})` : `(${names.join(', ')}) IN (${listed})`
}

/** Puts the rows that the log names as they are now, and takes away those that are gone. */
async function statementsFor(
  log: readonly Entry[],
  [start, upTo]: readonly [after: number, upTo: number],
  session: ClusterSession,
  catalog: Catalog,
  own: Columns,
  theirs: Columns,
  toldBy: readonly ChangeSet[],
): Promise<BoundStatement[]> {
  const statements: BoundStatement[] = [
    // Of two copies at the same time, the one that knows less of the log does nothing; and none leaves a part of the log out.
    {
      text: `SELECT CASE WHEN reference_sequence < CAST(?1 AS INTEGER) AND reference_sequence >= CAST(?2 AS INTEGER) THEN 1 ELSE json_extract('{}','${staleCopyMark}') END FROM _atoll_shard`,
      parameters: [String(upTo), String(start)],
    },
    { text: 'PRAGMA defer_foreign_keys = ON', parameters: [] },
  ]
  const removals: BoundStatement[] = []
  for (const table of parentsFirst(referenceTables(catalog))) {
    const keys = [...new Set(log.filter(({ name }) => name === table.name).map(({ key }) => key))]
    if (keys.length === 0) continue
    const known = theirs.get(table.name)?.map(({ name }) => name) ?? []
    const columns = own.get(table.name)?.filter(({ name }) => known.includes(name)) ?? []
    if (columns.length < (own.get(table.name)?.length ?? 0)) {
      // What it lacks comes with a migration, which then copies the table as a whole.
      statements.push({
        text: `UPDATE _atoll_state SET value = json_remove(value, ?1) WHERE key = '${copiedKey}' AND json_valid(value)`,
        parameters: [`$.${JSON.stringify(table.name)}`],
      })
    }
    const matches = matchesKeys(table)
    const list = `[${keys.join(',')}]`
    const [rows = []] = await session.primary([
      {
        text: `SELECT ${rowArray(table, columns)} AS r FROM ${quoteName(table.name)} WHERE ${matches}`,
        parameters: [list],
      },
    ])
    const present = `[${rows.map((row) => row.r as string).join(',')}]`
    statements.push({ text: copyText(table, columns), parameters: [present] })
    const names = columns.map(({ name }) => name)
    const isKept = matchesKeys(table, '?2', (name) => names.indexOf(name))
    removals.unshift({
      text: `DELETE FROM ${quoteName(table.name)} WHERE ${matches} AND NOT ${isKept}`,
      parameters: [list, present],
    })
  }
  // What is still referred to must fail at once: D1 says nothing of keys that are open when it commits, but breaks. The pragma also forgets what
  // is open by now: a row whose parent was put into `DB` after this chunk of the log, which the next one brings.
  statements.push({ text: 'PRAGMA defer_foreign_keys = OFF', parameters: [] }, ...removals)
  const untold = untoldOf(log, toldBy)
  if (untold.length > 0) {
    statements.push({
      text: "INSERT INTO _atoll_changes (name, operation, key, at) SELECT value->>0, 'update', value->>1, CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM json_each(?1)",
      parameters: [JSON.stringify(untold)],
    })
  }
  statements.push({
    text: 'UPDATE _atoll_shard SET reference_sequence = CAST(?1 AS INTEGER)',
    parameters: [String(upTo)],
  })
  return statements
}

/** The rows of the log that nobody tells of who has just written them: table and key of each. */
function untoldOf(log: readonly Entry[], toldBy: readonly ChangeSet[]): (readonly [string, string])[] {
  const tables = new Set(toldBy.flatMap((set) => set.tables ?? []))
  const rows = new Set(toldBy.flatMap(({ changes }) => changes.map(({ table, key }) => `${table} ${key}`)))
  const untold = log.filter(({ name, key }) => !tables.has(name) && !rows.has(`${name} ${key}`))
  return [...new Map(untold.map(({ name, key }) => [`${name} ${key}`, [name, key] as const])).values()]
}
