/**
 * Verifies a backup, a file at a time: every file is there and as it was written, and together they hold the rows that the manifest counts.
 * @module
 */
import type { BackupWorld } from './backup-world.ts'
import { noteStep, type Run } from './backups.ts'
import type { Finding } from './check-whole.ts'
import { countLines } from './count-lines.ts'
import type { Counted, Manifest } from './format.ts'
import type { Left } from './make-backup.ts'
import { DamagedPart, type LastLines, readLastLines, readPart } from './parts.ts'
import { readManifest } from './restore-backup.ts'

export interface AskedVerify {
  readonly backup: string
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
  #open: { readonly id: string; readonly manifest: Manifest; readonly last: LastLines } | null = null

  constructor(world: BackupWorld) {
    this.#world = world
  }

  async step(run: Run): Promise<Left> {
    const { session, files, now } = this.#world
    if (this.#open?.id !== run.id) {
      const manifest = await readManifest(this.#world, (run.asked as AskedVerify).backup)
      const last = await readLastLines(files, manifest.id, manifest.parts, () => undefined)
      this.#open = { id: run.id, manifest, last }
    }
    const { manifest, last } = this.#open
    const progress = (run.progress as VerifyProgress | null) ?? {
      parts: 0,
      of: manifest.parts.length,
      sums: {},
      findings: [],
    }
    const part = manifest.parts[progress.parts]
    if (part === undefined) {
      const findings = [...progress.findings, ...compare(manifest, progress.sums)]
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
        findings: [...progress.findings, { check: `file ${part.file}`, isRight: false, says: error.message }],
      }
    }
    await noteStep(session, run, { progress: noted }, now())
    return 'at once'
  }
}

function compare({ databases }: Manifest, sums: VerifyProgress['sums']): Finding[] {
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
