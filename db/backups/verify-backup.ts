/**
 * Verifies a backup, a file at a time: every file is there and as it was written, of an increment those of all that it adds to, too; and together they
 * hold the rows that the manifest counts, and that the databases counted themselves.
 * @module
 */
import type { BackupWorld } from './backup-world.ts'
import { noteStep, type Run } from './backups.ts'
import type { Finding } from './check-whole.ts'
import { countLines } from './count-lines.ts'
import { type Counted, type Manifest, toldFile } from './format.ts'
import type { Left } from './make-backup.ts'
import { DamagedPart, type LastLines, readLastLines, readPart } from './parts.ts'
import { BrokenChain, type Chain, readChain, readManifest } from './read-chain.ts'

export interface AskedVerify {
  readonly backup: string
  /** With all that it adds to. */
  readonly chain?: readonly string[]
}

/** How far it has come. */
export interface VerifyProgress {
  readonly parts: number
  readonly of: number
  readonly sums: Readonly<Record<string, Readonly<Record<string, Counted>>>>
  readonly findings: readonly Finding[]
}

/** Verifies one backup; keeps what would have to be read again for each step. */
export class BackupVerifier {
  readonly #world: BackupWorld
  #open: { readonly id: string; readonly chain: Opened; readonly last: LastLines } | null = null

  constructor(world: BackupWorld) {
    this.#world = world
  }

  async step(run: Run): Promise<Left> {
    const { session, files, now } = this.#world
    if (this.#open?.id !== run.id) {
      const chain = await openChain(this.#world, (run.asked as AskedVerify).backup)
      const last = await readLastLines(files, chain.whole.id, chain.whole.parts, () => undefined)
      this.#open = { id: run.id, chain, last }
    }
    const { chain, last } = this.#open
    const manifest = chain.whole
    const progress = (run.progress as VerifyProgress | null) ?? {
      parts: 0,
      of: manifest.parts.length,
      sums: {},
      findings: [],
    }
    const part = manifest.parts[progress.parts]
    if (part === undefined) {
      const findings = [...progress.findings, ...compare(chain, progress.sums)]
      await noteStep(session, run, { progress: { ...progress, findings }, state: 'done' }, now())
      this.#open = null
      return 'at once'
    }
    const next = { ...progress, parts: progress.parts + 1 }
    let noted: VerifyProgress
    try {
      const lines = await readPart(files, manifest.id, part)
      const before = progress.sums[part.database]
      const own = countLines(lines, part, progress.parts, last, manifest.tables, before)
      noted = { ...next, sums: { ...progress.sums, [part.database]: own } }
    } catch (error) {
      if (!(error instanceof DamagedPart) && !(error instanceof SyntaxError)) throw error
      noted = {
        ...next,
        findings: [
          ...progress.findings,
          { check: `file ${toldFile(part)}`, isRight: false, says: error.message },
        ],
      }
    }
    await noteStep(session, run, { progress: noted }, now())
    return 'at once'
  }
}

/** @param broken why links are missing, so that nothing is known of the whole */
interface Opened extends Chain {
  readonly broken: string | null
}

/** Of a broken chain, the backup that was asked for alone. */
async function openChain(world: BackupWorld, id: string): Promise<Opened> {
  const manifest = await readManifest(world, id)
  try {
    return { ...(await readChain(world, manifest)), broken: null }
  } catch (error) {
    if (!(error instanceof BrokenChain)) throw error
    return { links: [manifest], whole: manifest, broken: error.message }
  }
}

function compare({ links, whole, broken }: Opened, sums: VerifyProgress['sums']): Finding[] {
  if (broken !== null) return [{ check: 'chain', isRight: false, says: broken }]
  const ids = links.map(({ id }) => id).join(', ')
  return [
    ...(links.length > 1 ? [{ check: 'chain', isRight: true, says: `${links.length} backups: ${ids}` }] : []),
    ...(links.length > 1 ? [] : asCounted(whole, sums)),
    ...asHeld(links, whole, sums),
  ]
}

/** A full backup is what its manifest counted when it was made. */
function asCounted({ databases }: Manifest, sums: VerifyProgress['sums']): Finding[] {
  return databases.flatMap(({ name, tables }) =>
    Object.entries(tables).map(([table, { rows, sum }]): Finding => {
      const found = sums[name]?.[table]
      const isRight = found?.rows === rows && found.sum === sum
      return {
        check: `rows of ${table} of ${name}`,
        isRight,
        says: isRight ? `${rows} rows, as the manifest says` : `${found?.rows ?? 0} of ${rows} rows`,
      }
    }),
  )
}

/** Any backup holds as many rows as the databases had, but for those that were erased since. */
function asHeld(
  links: readonly Manifest[],
  { databases }: Manifest,
  sums: VerifyProgress['sums'],
): Finding[] {
  const hasForgotten = links.some(({ forgotten = [] }) => forgotten.length > 0)
  return databases.flatMap(({ name, held = {} }) =>
    Object.entries(held).map(([table, rows]): Finding => {
      const found = sums[name]?.[table]?.rows ?? 0
      return {
        check: `number of rows of ${table} of ${name}`,
        isRight: found === rows || (found < rows && hasForgotten),
        says:
          found === rows
            ? `${rows} rows, as the database counted`
            : `${found} rows; the database counted ${rows}`,
      }
    }),
  )
}
