/**
 * What a restore would do, worked out from a manifest and the databases as they are: which tables in which order, and what stands in its way.
 * @module
 */
import { parentsFirst } from '../catalog/parents-first.ts'
import { quoteName } from '../sql/quote.ts'
import type { BackupWorld } from './backup-world.ts'
import type { BackupTable } from './format.ts'
import { type Chain, rowsOf } from './read-chain.ts'

/** What is asked for. */
export interface AskedRestore {
  readonly backup: string
  /** With all that it adds to. */
  readonly chain?: readonly string[]
  /**
   * `empty`: all of it, into databases that hold nothing. `beside`: beside the rows that are there. `place`: in their place, so that rows which the
   * backup lacks are taken away.
   */
  readonly into: 'empty' | 'beside' | 'place'
  /** Names of tables; null: all. */
  readonly tables: readonly string[] | null
  /** Rows with this distribution value only; null: all. */
  readonly value: string | null
  /** Of rows that are there under the same key: `lacking` leaves them, `replace` overwrites them. */
  readonly conflict: 'lacking' | 'replace'
  /** Whether jobs that were not over are put back, and run. */
  readonly jobs: boolean
}

/** A foreign key of a table as a database has it. */
export interface ForeignKey {
  readonly to: string
  readonly pairs: readonly (readonly [column: string, parent: string])[]
  /** Of a row that may come before what it refers to: laid without it, and put right when all rows are there. */
  readonly isLate: boolean
}

/** A table as it is laid. */
export interface Laid {
  readonly table: BackupTable
  /** Whether its rows go where their slots are; else to the primary database. */
  readonly isRouted: boolean
  readonly foreignKeys: readonly ForeignKey[]
  /** Columns of the target that the backup lacks: they get their defaults. */
  readonly defaulted: readonly string[]
}

/** What a restore lays, and what it cannot. */
export interface RestorePlan {
  readonly laid: readonly Laid[]
  /** Rows that the backup holds, by table. */
  readonly rows: ReadonlyMap<string, number>
  /** Why it cannot be; none when it can. */
  readonly problems: readonly string[]
  /** What is worth knowing. */
  readonly notes: readonly string[]
}

/** Tables of Atoll's that are laid as rows; others are seen to one by one. */
const systemRows = ['_atoll_buckets', '_atoll_objects']

/** Whether a table has rows as soon as it is migrated: buckets that the app declares. The backup's are laid over them. */
export const hasRowsAtOnce = ({ name }: Pick<BackupTable, 'name'>) => name === '_atoll_buckets'

/** Looks at the databases, and changes nothing. */
export async function planRestore(
  { session, catalog }: BackupWorld,
  chain: Chain,
  asked: AskedRestore,
): Promise<RestorePlan> {
  const manifest = chain.whole
  const problems: string[] = []
  const notes: string[] = []
  const isWanted = ({ name, by, placement }: BackupTable) =>
    (placement !== 'system' || (systemRows.includes(name) && asked.value === null)) &&
    (asked.tables === null || asked.tables.includes(name)) &&
    (asked.value === null || by !== null)
  for (const name of asked.tables ?? [])
    if (!manifest.tables.some((table) => table.name === name))
      problems.push(`The backup has no table ${name}.`)
  const order = parentsFirst([...catalog.tables.values()]).map(({ name }) => name)
  const rank = ({ name }: BackupTable) => {
    const placement = catalog.tables.get(name)?.placement.kind
    const place = order.indexOf(name)
    // Reference rows come first, and go to the shards before rows that refer to them.
    return (placement === 'distributed' ? 1_000_000 : 0) + (place < 0 ? 500_000 : place)
  }
  const tables = manifest.tables.filter(isWanted).sort((a, b) => rank(a) - rank(b))
  const rows = rowsOf(chain)
  if (chain.links.length > 1)
    notes.push(
      `It is read from ${chain.links.length} backups: ${chain.links.map(({ id }) => id).join(', ')}. Of large tables, rows are told that it has at most.`,
    )
  const laid: Laid[] = []
  for (const table of tables) {
    const isRouted = catalog.tables.get(table.name)?.placement.kind === 'distributed'
    if (isRouted !== (table.by !== null) && session.cluster.sharded)
      problems.push(
        `${table.name} was ${table.placement} when the backup was made, and is placed otherwise now.`,
      )
    const [columns = [], keys = [], [found] = []] = await session.primary([
      {
        text: 'SELECT name, "notnull" AS filled, dflt_value AS dflt, pk, hidden FROM pragma_table_xinfo(?1)',
        parameters: [table.name],
      },
      {
        text: 'SELECT id, "table" AS parent, json_group_array(json_array("from", ifnull("to", (SELECT name FROM pragma_table_info(f."table") WHERE pk = f.seq + 1))) ORDER BY seq) AS pairs FROM pragma_foreign_key_list(?1) AS f GROUP BY id, "table"',
        parameters: [table.name],
      },
      { text: 'SELECT 1 FROM pragma_table_list WHERE name = ?1', parameters: [table.name] },
    ])
    if (!found) {
      problems.push(`There is no table ${table.name} any more.`)
      continue
    }
    const own = columns.filter(({ hidden }) => Number(hidden) === 0)
    const lacking = table.columns.filter((name) => !own.some((column) => column.name === name))
    if (lacking.length > 0)
      problems.push(
        `${table.name} has no ${lacking.join(', ')} any more: restore into the schema of the backup, and migrate then.`,
      )
    const fresh = own.filter(({ name }) => !table.columns.includes(name as string))
    const unfilled = fresh.filter(({ filled, dflt }) => Number(filled) === 1 && dflt === null)
    if (unfilled.length > 0)
      problems.push(
        `${table.name} has ${unfilled.map(({ name }) => name).join(', ')}, which must not be null, has no default, and is not in the backup.`,
      )
    if (fresh.length > 0)
      notes.push(
        `${table.name}: ${fresh.map(({ name }) => name).join(', ')} is not in the backup, and gets its default.`,
      )
    const nullable = new Set(
      own.filter(({ filled, pk }) => Number(filled) === 0 && Number(pk) === 0).map(({ name }) => name),
    )
    const hasKey = table.key[0]?.name !== 'rowid'
    const later = new Set(tables.slice(tables.indexOf(table)).map(({ name }) => name))
    laid.push({
      table,
      isRouted,
      defaulted: fresh.map(({ name }) => name as string),
      foreignKeys: keys.map((key): ForeignKey => {
        const pairs = JSON.parse(key.pairs as string) as [string, string][]
        const to = key.parent as string
        const isLate =
          asked.into !== 'beside' &&
          hasKey &&
          later.has(to) &&
          pairs.every(([column]) => nullable.has(column))
        return { to, pairs, isLate }
      }),
    })
    if ((asked.into === 'place' || (asked.into === 'beside' && asked.conflict === 'replace')) && !hasKey)
      problems.push(`${table.name} has no primary key, so that none of its rows can be replaced.`)
  }
  if (asked.into === 'empty' && (asked.tables !== null || asked.value !== null))
    problems.push('A table or a value is restored beside what is there, or in its place.')
  if (asked.into === 'place') {
    if (asked.tables === null && asked.value === null)
      problems.push('Say which tables, or which value, are restored in the place of what is there.')
    problems.push(...(await goneAlong(session, laid)))
    notes.push(...(await rowsNow(session, laid, asked)))
  }
  if (asked.into === 'empty') problems.push(...(await rowsThere(session, laid)))
  return { laid, rows, problems, notes }
}

/** Tables whose rows would go, or change, along with those that are taken away. */
async function goneAlong(session: BackupWorld['session'], laid: readonly Laid[]): Promise<string[]> {
  const names = JSON.stringify(laid.map(({ table: { name } }) => name))
  const [found = []] = await session.primary([
    {
      text: `SELECT l.name AS child, f."table" AS parent, f.on_delete AS action FROM pragma_table_list AS l, pragma_foreign_key_list(l.name) AS f WHERE l.schema = 'main' AND f.on_delete NOT IN ('NO ACTION', 'RESTRICT') AND f."table" IN (SELECT value FROM json_each(?1)) AND l.name NOT IN (SELECT value FROM json_each(?1))`,
      parameters: [names],
    },
  ])
  return found.map(
    ({ child, parent, action }) =>
      `Rows of ${child} go along with those of ${parent} that are taken away (ON DELETE ${action}): name ${child}, too.`,
  )
}

async function rowsNow(
  session: BackupWorld['session'],
  laid: readonly Laid[],
  { value }: AskedRestore,
): Promise<string[]> {
  const notes: string[] = []
  for (const { table, isRouted } of laid) {
    const own = value === null || table.by === null ? '' : ` WHERE CAST(${quoteName(table.by)} AS TEXT) = ?1`
    let rows = 0
    for (const database of isRouted ? session.cluster.databases : [session.cluster.primary]) {
      const text = `SELECT count(*) AS n FROM ${quoteName(table.name)}${own}`
      const [[row] = []] = await session.on(database, [
        { text, parameters: own === '' ? [] : [value as string] },
      ])
      rows += Number(row?.n)
    }
    notes.push(`${table.name}: ${rows} rows are there now; those that the backup lacks are taken away.`)
  }
  return notes
}

async function rowsThere(session: BackupWorld['session'], laid: readonly Laid[]): Promise<string[]> {
  const found: string[] = []
  for (const { table } of laid) {
    if (hasRowsAtOnce(table)) continue
    const text = `SELECT EXISTS (SELECT 1 FROM ${quoteName(table.name)}) AS there`
    for (const database of table.by === null ? [session.cluster.primary] : session.cluster.databases) {
      const [[row] = []] = await session.on(database, [{ text, parameters: [] }])
      if (Number(row?.there) === 1) found.push(`${table.name} on ${database} has rows.`)
    }
  }
  return found
}
