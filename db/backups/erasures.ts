/**
 * Which distribution values were erased: noted where backups lie, so that it is known there, too, when the databases are gone. The value itself is
 * not noted, but an HMAC of it and of its group, in the name of an object: `erasures/HASH-MILLISECONDS`.
 * @module
 */
import type { Catalog } from '../catalog/catalog.ts'
import type { BackupWorld } from './backup-world.ts'
import { type BackupTable, type Line, type Signer, valuesOf } from './format.ts'

const folder = 'erasures/'
/** Jobs say which value they are about, and not of which group. */
export const jobsGroup = '_atoll_jobs'
const jobTables: readonly string[] = ['_atoll_jobs', '_atoll_dead_letters']
const jobSteps = '_atoll_job_steps'

const hashOf = (signer: Signer, group: string, value: string) =>
  signer.sign(JSON.stringify(['erased', group, value]))

/** @param at when the last of it was gone, by the databases' clock: milliseconds since 1970 */
export async function noteErasure(
  { files, signer }: Pick<BackupWorld, 'files' | 'signer'>,
  group: string,
  value: string,
  at: number,
): Promise<void> {
  const hash = await hashOf(signer, group, value)
  const key = `${folder}${hash}-${at}`
  const older = (await files.list(folder + hash)).filter((name) => name !== key)
  const says = JSON.stringify({ group, erased: new Date(at).toISOString() })
  await files.put(key, new TextEncoder().encode(says))
  if (older.length > 0) await files.remove(older)
}

/** All that was erased. */
export class Erasures {
  readonly #signer: Signer
  readonly #catalog: Catalog
  /** When, by hash. */
  readonly #times: ReadonlyMap<string, number>
  /** When, by group and value; null: never. */
  readonly #known = new Map<string, number | null>()

  private constructor({ signer, catalog }: BackupWorld, times: ReadonlyMap<string, number>) {
    this.#signer = signer
    this.#catalog = catalog
    this.#times = times
  }

  static async read(world: BackupWorld): Promise<Erasures> {
    const times = new Map<string, number>()
    for (const name of await world.files.list(folder)) {
      const [hash = '', at] = name.slice(folder.length).split('-')
      times.set(hash, Math.max(Number(at), times.get(hash) ?? 0))
    }
    return new Erasures(world, times)
  }

  /** Names of the erasures at a time or later. */
  since(at: number): string[] {
    return [...this.#times].filter(([, time]) => time >= at).map(([hash, time]) => `${hash}-${time}`)
  }

  /**
   * Lines with rows of values that were erased.
   *
   * @param at what the lines are as of: what was written after its value was erased is nobody's to forget
   * @param isOld lines that count no more, whatever they are as of
   */
  async linesOf(
    lines: readonly Line[],
    tables: readonly BackupTable[],
    at: number,
    isOld: (line: Line, i: number) => boolean = () => false,
  ): Promise<ReadonlySet<Line>> {
    const found = new Set<Line>()
    if (this.#times.size === 0) return found
    const jobs = new Set<string>()
    for (const [i, line] of lines.entries()) {
      const about = line.row === null ? null : this.#aboutOf(line, tables)
      if (about === null) continue
      const erased = await this.#when(...about)
      if (erased === null || (at > erased && !isOld(line, i))) continue
      found.add(line)
      if (jobTables.includes(line.table)) jobs.add(jobOf(line, tables))
    }
    for (const line of lines)
      if (jobs.size > 0 && line.table === jobSteps && jobs.has(jobOf(line, tables))) found.add(line)
    return found
  }

  #aboutOf(line: Line, tables: readonly BackupTable[]): [group: string, value: string] | null {
    if (jobTables.includes(line.table)) {
      const value = cellOf(line, tables, 'value')
      return value === null ? null : [jobsGroup, value]
    }
    const placement = this.#catalog.tables.get(line.table)?.placement
    return placement?.kind === 'distributed' && line.value !== null ? [placement.group, line.value] : null
  }

  async #when(group: string, value: string): Promise<number | null> {
    const key = `${group}\n${value}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const at = this.#times.get(await hashOf(this.#signer, group, value)) ?? null
    this.#known.set(key, at)
    return at
  }
}

/** A job's id, of its row or of that of one of its steps. */
const jobOf = (line: Line, tables: readonly BackupTable[]) =>
  cellOf(line, tables, line.table === jobSteps ? 'job' : 'id') ?? ''

function cellOf({ table, row }: Line, tables: readonly BackupTable[], column: string): string | null {
  const at = tables.find(({ name }) => name === table)?.columns.indexOf(column) ?? -1
  const cell = at < 0 || row === null ? undefined : valuesOf(row)[at]
  return cell === undefined || cell === 'null' ? null : String(JSON.parse(cell))
}
