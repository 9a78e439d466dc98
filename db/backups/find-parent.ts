/**
 * What an increment adds to: the backup before it, if the change logs tell of all that has changed since. Whatever they do not tell of (slots that
 * moved, another schema, rows that a restore has laid, a database that was put back in time) is a reason to make a full backup instead.
 * @module
 */
import type { BackupWorld } from './backup-world.ts'
import {
  type BackupTable,
  BadManifest,
  type DatabaseState,
  type Manifest,
  type ParentLink,
} from './format.ts'
import { sha256 } from './parts.ts'
import { BackupRefused, readManifest } from './read-chain.ts'
import { cursorOf } from './read-database.ts'

/** After so many increments there is a full backup: a restore reads all of them, and keeps their keys in memory. */
const mostIncrements = 200

/** The backup since which change logs are kept, or why there is none to add to. */
export async function findParent(
  world: BackupWorld,
  id: string,
): Promise<{ readonly parent: Manifest | null; readonly why: string | null }> {
  const none = (why: string) => ({ parent: null, why })
  const [rows = []] = await world.session.primary([
    {
      text: "SELECT substr(consumer, 8) AS id FROM _atoll_cursors WHERE consumer GLOB 'backup:*' AND consumer NOT GLOB '*:lost' AND consumer < ?1 ORDER BY consumer DESC",
      parameters: [cursorOf(id)],
    },
  ])
  for (const row of rows) {
    try {
      const parent = await readManifest(world, row.id as string)
      return (parent.parent?.number ?? 0) < mostIncrements
        ? { parent, why: null }
        : none(`there are ${mostIncrements} increments since the last full backup`)
    } catch (error) {
      if (error instanceof BadManifest) return none(`${row.id}: ${error.message}`)
      // One that has failed, or that somebody has deleted.
      if (!(error instanceof BackupRefused)) throw error
    }
  }
  return none('there is no backup since which the change logs were kept')
}

/** How a database is at the beginning of a backup. */
export interface Begun {
  readonly marks: string
  /** From where its log is kept; null when that no longer reaches back to the parent. */
  readonly position: number | null
}

/** Why nothing can be added to a backup; null when it can. */
export async function whyNot(
  parent: Manifest,
  begun: ReadonlyMap<string, Begun>,
  tables: readonly BackupTable[],
): Promise<string | null> {
  const names = [...begun.keys()].sort().join(', ')
  const before = parent.databases.map(({ name }) => name).sort()
  if (names !== before.join(', ')) return `the databases were ${before.join(', ')}, and are ${names}`
  for (const { name, position, state } of parent.databases) {
    const { marks, position: kept } = begun.get(name) as Begun
    if (state === undefined) return `${parent.id} was made before there were increments`
    const now = await stateOf(marks)
    if (now.life !== state.life) return `${name} was put back in time`
    if (now.schema !== state.schema) return `the schema of ${name} is another one`
    if (now.slots !== state.slots) return `slots of ${name} have moved, of which no change log tells`
    if (now.restored !== state.restored)
      return `a restore has laid rows on ${name}, of which no change log tells`
    if (kept !== position) return `the change log of ${name} no longer reaches back to ${parent.id}`
  }
  // What is in the log is said by the code.
  if (JSON.stringify(parent.tables) !== JSON.stringify(tables)) return 'the tables are others'
  return null
}

/** @param marks of `readMarks` */
export async function stateOf(marks: string): Promise<DatabaseState> {
  const [slots, life, migrations, tables, placements, restored] = JSON.parse(marks) as [
    number,
    string,
    string,
    string,
    string,
    string | null,
  ]
  const text = JSON.stringify([migrations, tables, placements])
  return { slots, life, schema: await sha256(new TextEncoder().encode(text)), restored }
}

/** What an increment says of its parent. */
export const linkTo = ({ id, databases, parent }: Manifest): ParentLink => ({
  id,
  positions: Object.fromEntries(databases.map(({ name, position }) => [name, position])),
  number: (parent?.number ?? 0) + 1,
})
