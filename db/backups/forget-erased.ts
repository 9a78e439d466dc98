/**
 * Backups that are kept forget what was erased since they were made: files with such rows are written anew without them, rows are counted and summed
 * again, and the manifest is signed anew. A death in the middle leaves the backup as it was, and files that the next time takes away.
 * @module
 */
import type { BackupWorld } from './backup-world.ts'
import { countLines } from './count-lines.ts'
import { Erasures } from './erasures.ts'
import {
  asOf,
  type Counted,
  folderOf,
  type Line,
  type Manifest,
  manifestOf,
  type Part,
  signedText,
} from './format.ts'
import { readManifests } from './keep.ts'
import { DamagedPart, readLastLines, readPart, writePart } from './parts.ts'

/** A backup that was to forget something. */
export interface Forgot {
  readonly id: string
  /** Rows that it has no more. */
  readonly rows: number
  /** Why it is as it was, and still has them; null when it has forgotten. */
  readonly refused: string | null
}

/** The clocks of a Worker and of its databases are not further apart, in milliseconds. */
const apartMs = 60_000

/** Lets all backups forget what was erased; those that know already are left alone. */
export async function forgetErased(world: BackupWorld): Promise<Forgot[]> {
  const erasures = await Erasures.read(world)
  if (erasures.since(0).length === 0) return []
  const found: Forgot[] = []
  for (const manifest of await readManifests(world)) {
    const wanted = erasures.since(Date.parse(manifest.begun) - apartMs)
    const { forgotten = [], id } = manifest
    if (wanted.every((name) => forgotten.includes(name))) continue
    if (await isInUse(world, id)) {
      found.push({ id, rows: 0, refused: 'it is being read: prune again when that is over' })
      continue
    }
    try {
      found.push({ id, rows: await rewrite(world, manifest, erasures, wanted), refused: null })
    } catch (error) {
      if (!(error instanceof DamagedPart)) throw error
      found.push({ id, rows: 0, refused: `${error.message}: delete the backup` })
    }
  }
  return found
}

/** Restores and verifications go through the files that the manifests of a chain named when they began. */
async function isInUse({ session }: BackupWorld, id: string): Promise<boolean> {
  const [rows = []] = await session.primary([
    {
      text: "SELECT 1 FROM _atoll_backups WHERE state IN ('waiting', 'running') AND (asked ->> 'backup' = ?1 OR EXISTS (SELECT 1 FROM json_each(asked, '$.chain') WHERE value = ?1)) LIMIT 1",
      parameters: [id],
    },
  ])
  return rows.length > 0
}

async function rewrite(
  { files, signer }: BackupWorld,
  manifest: Manifest,
  erasures: Erasures,
  wanted: readonly string[],
): Promise<number> {
  const { id, tables } = manifest
  const last = await readLastLines(files, id, manifest.parts)
  const parts: Part[] = []
  const changed = new Set<string>()
  for (const [number, part] of manifest.parts.entries()) {
    const lines = await readPart(files, id, part)
    const erased = await erasures.linesOf(
      lines,
      tables,
      asOf(manifest, part),
      (line, i) => part.kind !== 'whole' && !last.isLast(part, number, i, line),
    )
    if (erased.size === 0) {
      parts.push(part)
      continue
    }
    changed.add(part.database)
    const left = lines.flatMap((line): Line[] => {
      if (!erased.has(line)) return [line]
      // Without the later line, an earlier one about the row would count again.
      return part.kind === 'changes' ? [{ ...line, value: null, row: null }] : []
    })
    if (left.length > 0) parts.push(await writePart(files, id, number, part, left))
  }
  const sums = await sumsOf(files, manifest, parts, changed)
  const databases = manifest.databases.map((one) => ({ ...one, tables: sums.get(one.name) ?? one.tables }))
  const rows = rowsOf(manifest) - rowsOf({ databases })
  const leftOut =
    rows === 0
      ? manifest.leftOut
      : [...manifest.leftOut, { what: `${rows} rows`, why: 'they were erased after the backup was made' }]
  const forgotten = [...new Set([...(manifest.forgotten ?? []), ...wanted])]
  const text = await signedText({ ...manifest, databases, parts, leftOut, forgotten }, signer)
  await files.put(manifestOf(id), new TextEncoder().encode(text))
  const named = new Set(parts.map(({ file }) => folderOf(id) + file))
  const others = (await files.list(folderOf(id))).filter((key) => !named.has(key))
  if (others.length > 0) await files.remove(others)
  return rows
}

/** What databases hold whose files are others now, by database and table. */
async function sumsOf(
  files: BackupWorld['files'],
  { id, tables }: Manifest,
  parts: readonly Part[],
  changed: ReadonlySet<string>,
): Promise<Map<string, Readonly<Record<string, Counted>>>> {
  const sums = new Map([...changed].map((name): [string, Readonly<Record<string, Counted>>] => [name, {}]))
  const last = await readLastLines(files, id, parts)
  for (const [number, part] of parts.entries()) {
    if (!changed.has(part.database)) continue
    const lines = await readPart(files, id, part)
    const own = countLines(lines, part, number, last, tables, sums.get(part.database))
    sums.set(part.database, own)
  }
  return sums
}

function rowsOf({ databases }: Pick<Manifest, 'databases'>): number {
  const counted = databases.flatMap(({ tables }) => Object.values(tables))
  return counted.reduce((sum, { rows }) => sum + rows, 0)
}
