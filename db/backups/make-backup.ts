/**
 * Makes a backup, step by step: rows in chunks, then what the change log says has changed, up to one position for each database; then every file is
 * read back before the manifest says that there is a backup. Each step can be made again, and what is noted after it says where to go on.
 *
 * Longer than other files because what a step leaves and the next one begins with is seen in one place.
 * @module
 */

import { beforeAll } from '../moves/look-at.ts'
import { nextMove } from '../moves/moves.ts'
import { logEnd, readChunk } from '../moves/read-rows.ts'
import { readMapRow } from '../moves/slot-states.ts'
import { parseMap } from '../slots/shard-map.ts'
import type { BackupProgress } from './backup-progress.ts'
import type { BackupWorld } from './backup-world.ts'
import { type Noted, noteStep, type Run, readParts } from './backups.ts'
import { countLines } from './count-lines.ts'
import { end } from './end-database.ts'
import { type Begun, findParent, linkTo, stateOf, whyNot } from './find-parent.ts'
import {
  type BackupDatabase,
  type BackupTable,
  folderOf,
  type LeftOut,
  type Line,
  type Manifest,
  manifestOf,
  type Part,
  type PartKind,
  signedText,
} from './format.ts'
import { keepFilesFromHere } from './keep-files.ts'
import { type LastLines, readLastLines, readPart, writePart } from './parts.ts'
import { BackupRefused } from './read-chain.ts'
import {
  follow,
  keepLog,
  keepLogFrom,
  keepLogFromHere,
  letEarlierLogsGo,
  letLogGo,
  lineOf,
  readMarks,
  readSource,
  type Source,
} from './read-database.ts'
import { leftOutElsewhere } from './what-is-kept.ts'

/** Characters of rows after which a part is full: with what is made of it, it takes a few times as much of an isolate's memory. */
export const partLength = 2_000_000
/** Rows that the first look at a table takes in. */
const firstChunk = 50
/** So far the log may be behind while rows are read, and at the end. */
const [readingLag, endingLag] = [1000, 50]
/** How often it begins anew before it is given up. */
const maxRestarts = 5

/** What a step has left to do: more at once, more later, or nothing. */
export type Left = 'at once' | 'later' | 'nothing'

/** Makes one backup; keeps what would have to be read again for each step. */
export class BackupMaker {
  readonly #world: BackupWorld
  #sources: ReadonlyMap<string, Source> | null = null
  #last: { readonly id: string; readonly lines: LastLines } | null = null

  constructor(world: BackupWorld) {
    this.#world = world
  }

  async step(run: Run): Promise<Left> {
    const progress = run.progress as BackupProgress | null
    if (progress === null) return this.#begin(run, 0)
    if (progress.phase === 'read') return this.#read(run, progress)
    if (progress.phase === 'end') return this.#end(run, progress)
    return this.#seal(run, progress)
  }

  async #begin(run: Run, restarts: number): Promise<Left> {
    const { session } = this.#world
    if (restarts > maxRestarts)
      throw new BackupRefused(
        'it had to begin anew several times: slots moved, the schema changed, or the change log was cut off before it was read',
      )
    this.#sources = null
    // The change log does not tell of moves.
    if (session.cluster.sharded && (await nextMove(session)) !== null) return 'later'
    let { parent, why: instead } =
      run.kind === 'increment' ? await findParent(this.#world, run.id) : { parent: null, why: null }
    let begun = await this.#beginAt(run.id, parent)
    if (begun !== null && parent !== null) {
      instead = await whyNot(parent, begun, tablesOf(await this.#allSources()))
      if (instead !== null) {
        parent = null
        begun = await this.#beginAt(run.id, null)
      }
    }
    if (begun === null) return 'later'
    const all = [...begun]
    await session.primary([keepFilesFromHere])
    await this.#note(run, {
      dropsParts: true,
      progress: {
        // What an increment reads is all in the log.
        phase: parent === null ? 'read' : 'end',
        marks: Object.fromEntries(all.map(([name, { marks }]) => [name, marks])),
        positions: Object.fromEntries(all.map(([name, { position }]) => [name, position as number])),
        ...(parent === null ? {} : { parent: linkTo(parent) }),
        ...(instead === null ? {} : { instead }),
        databases: 0,
        tables: 0,
        place: { after: beforeAll, chunk: firstChunk },
        parts: 0,
        sealed: 0,
        rows: 0,
        bytes: 0,
        restarts,
        sums: {},
        ended: null,
      } satisfies BackupProgress,
    })
    return 'at once'
  }

  /** Keeps all logs from here, or from where a parent has read them. @returns null when slots are moving */
  async #beginAt(id: string, parent: Manifest | null): Promise<ReadonlyMap<string, Begun> | null> {
    const { session } = this.#world
    const begun = new Map<string, Begun>()
    for (const database of session.cluster.databases) {
      const [, kept = [], [last] = [], [found] = []] = await session.on(database, [
        letLogGo(id),
        parent === null ? keepLogFromHere(id) : keepLogFrom(id, parent.id),
        logEnd,
        readMarks,
      ])
      if (Number(found?.moving) === 1) return null
      const position = parent === null ? last?.n : kept[0]?.sequence
      begun.set(database, {
        marks: found?.marks as string,
        position: position === undefined ? null : Number(position),
      })
    }
    return begun
  }

  /** Fills a part with rows of one database, and another with what has changed meanwhile, when that is much. */
  async #read(run: Run, progress: BackupProgress): Promise<Left> {
    const { session } = this.#world
    const database = session.cluster.databases[progress.databases]
    if (database === undefined) {
      await this.#note(run, { progress: { ...progress, phase: 'end' } })
      return 'at once'
    }
    const source = await this.#sourceOf(database)
    const lines: Line[] = []
    let { tables, place } = progress
    for (let length = 0; length < this.#world.partLength && tables < source.logged.length; ) {
      const table = source.logged[tables] as Source['logged'][number]
      const { now, rest } = this.#world
      const start = now()
      const chunk = await readChunk(session, database, table, place, now)
      await rest(now() - start)
      if (chunk === null) {
        tables++
        place = { after: beforeAll, chunk: firstChunk }
        continue
      }
      const read = chunk.rows.map((row) => lineOf(table.name, row))
      lines.push(...read)
      length += read.reduce((sum, { row }) => sum + (row?.length ?? 0), 0)
      place = { after: chunk.after, chunk: chunk.chunk }
    }
    const followed = await this.#follow(run, database, progress.positions[database] as number, readingLag)
    if (followed === null) return this.#begin(run, progress.restarts + 1)
    const isOver = tables === source.logged.length
    await this.#write(
      run,
      progress,
      [
        [database, 'rows', lines],
        [database, 'changes', followed.lines],
      ],
      {
        databases: progress.databases + (isOver ? 1 : 0),
        tables: isOver ? 0 : tables,
        place: isOver ? { after: beforeAll, chunk: firstChunk } : place,
        rows: progress.rows + lines.length,
        positions: { ...progress.positions, [database]: followed.position },
      },
    )
    return 'at once'
  }

  /** Reads what has changed until the log is not further ahead than this. @returns null when the log does not reach back */
  async #follow(run: Run, database: string, from: number, lag: number) {
    const source = await this.#sourceOf(database)
    const lines: Line[] = []
    for (let position = from, length = 0; ; ) {
      const followed = await follow(this.#world.session, run.id, database, source, position)
      if (followed === null) return null
      // What is little is left for later: a row that changes often is read once.
      if (followed.position + followed.lag - position <= lag) return { lines, position }
      lines.push(...followed.lines)
      position = followed.position
      length += followed.lines.reduce((sum, { row }) => sum + (row?.length ?? 0), 0)
      if (length > this.#world.partLength) return { lines, position }
    }
  }

  /** Reads all logs to their ends, each database in one transaction, all at the same time. */
  async #end(run: Run, progress: BackupProgress): Promise<Left> {
    const { session } = this.#world
    const { databases } = session.cluster
    const caught: [string, PartKind, readonly Line[]][] = []
    const positions = { ...progress.positions }
    for (const database of databases) {
      const followed = await this.#follow(run, database, positions[database] as number, endingLag)
      if (followed === null) return this.#begin(run, progress.restarts + 1)
      caught.push([database, 'changes', followed.lines])
      positions[database] = followed.position
    }
    if (caught.some(([, , lines]) => lines.length > 0)) {
      await this.#write(run, progress, caught, { positions })
      for (const database of databases)
        await session.on(database, [keepLog(run.id, positions[database] as number)])
      return 'at once'
    }
    const ends = await Promise.all(
      databases.map(async (database) => {
        const source = await this.#sourceOf(database)
        return {
          database,
          source,
          ended: await end(session, run.id, database, source, positions[database] as number),
        }
      }),
    )
    const isOther = ends.some(({ database, ended }) => ended && ended.marks !== progress.marks[database])
    if (isOther) return this.#begin(run, progress.restarts + 1)
    // Much has changed since the last look: it is looked at again.
    if (ends.some(({ ended }) => ended === null || ended.isMoving)) return 'later'
    const read = ends.flatMap(({ ended, ...one }) => (ended ? [{ ...one, ended }] : []))
    const parts = read.flatMap(({ database, ended }): [string, PartKind, readonly Line[]][] => [
      [database, 'changes', ended.changes],
      [database, 'whole', ended.whole],
    ])
    await this.#write(run, progress, parts, {
      phase: 'seal',
      ended: {
        databases: await Promise.all(
          read.map(
            async ({ database, ended }): Promise<BackupDatabase> => ({
              name: database,
              position: ended.position,
              bookmark: session.bookmarks.get(database) ?? null,
              at: ended.at,
              tables: {},
              held: ended.held,
              state: await stateOf(ended.marks),
            }),
          ),
        ),
        migrations: read[0]?.ended.migrations ?? [],
        leftOut: [...read.flatMap(({ ended }): readonly LeftOut[] => ended.leftOut), ...leftOutElsewhere],
        tables: tablesOf(read.map(({ source }) => source)),
      },
    })
    return 'at once'
  }

  /** Reads a part back, and counts what it says in the end. */
  async #seal(run: Run, progress: BackupProgress): Promise<Left> {
    const { session, files, signer, now } = this.#world
    const parts = await readParts(session, run.id)
    const part = parts[progress.sealed]
    if (part) {
      this.#last =
        this.#last?.id === run.id
          ? this.#last
          : { id: run.id, lines: await readLastLines(files, run.id, parts) }
      const lines = await readPart(files, run.id, part)
      const { tables = [] } = progress.ended ?? {}
      const own = countLines(
        lines,
        part,
        progress.sealed,
        this.#last.lines,
        tables,
        progress.sums[part.database],
      )
      await this.#note(run, {
        progress: {
          ...progress,
          sealed: progress.sealed + 1,
          sums: { ...progress.sums, [part.database]: own },
        },
      })
      return 'at once'
    }
    const map = session.cluster.sharded ? parseMap(await readMapRow(session)) : null
    const { databases = [], tables = [], leftOut = [], migrations = [] } = progress.ended ?? {}
    const { parent, instead } = progress
    // Somebody may have deleted what it adds to.
    if (parent && (await files.get(manifestOf(parent.id))) === null)
      return this.#begin(run, progress.restarts + 1)
    const manifest: Manifest = {
      format: 'atoll-backup',
      version: parent ? 2 : 1,
      id: run.id,
      kind: parent ? 'increment' : 'full',
      ...(parent ? { parent } : {}),
      ...(instead === undefined ? {} : { instead }),
      begun: new Date(run.created).toISOString(),
      finished: new Date(now()).toISOString(),
      migrations,
      map: map && {
        epoch: map.epoch,
        ranges: map.ranges.map(({ first, last, shard }) => [first, last, shard]),
      },
      databases: databases.map((one) => ({ ...one, tables: progress.sums[one.name] ?? {} })),
      tables,
      parts,
      leftOut,
    }
    const text = await signedText(manifest, signer)
    await files.put(manifestOf(run.id), new TextEncoder().encode(text))
    await dropOthers(this.#world, run.id, parts)
    const isKept = this.#world.keepsLogs || run.kind === 'increment'
    for (const { name, position } of databases)
      await session.on(name, [
        isKept ? keepLog(run.id, position) : letLogGo(run.id),
        letEarlierLogsGo(run.id),
      ])
    await this.#note(run, {
      progress: { ...progress, sums: {}, ended: null },
      state: 'done',
      dropsParts: true,
    })
    this.#last = null
    return 'at once'
  }

  async #write(
    run: Run,
    progress: BackupProgress,
    contents: readonly (readonly [database: string, kind: PartKind, lines: readonly Line[]])[],
    changed: Partial<BackupProgress>,
  ): Promise<void> {
    const parts: (readonly [number, Part])[] = []
    for (const [database, kind, lines] of contents) {
      if (lines.length === 0) continue
      const number = progress.parts + parts.length
      parts.push([number, await writePart(this.#world.files, run.id, number, { database, kind }, lines)])
    }
    const bytes = parts.reduce((sum, [, part]) => sum + part.bytes, progress.bytes)
    await this.#note(run, {
      parts,
      progress: { ...progress, ...changed, parts: progress.parts + parts.length, bytes },
    })
  }

  async #allSources(): Promise<Source[]> {
    const { databases, primary } = this.#world.session.cluster
    await this.#sourceOf(primary)
    return Promise.all(databases.map((name) => this.#sourceOf(name)))
  }

  async #sourceOf(database: string): Promise<Source> {
    if (this.#sources === null) {
      const { session, catalog } = this.#world
      const { databases, primary } = session.cluster
      const found = new Map<string, Source>()
      for (const name of databases)
        found.set(name, await readSource(session, name, catalog, name === primary))
      this.#sources = found
    }
    return this.#sources.get(database) as Source
  }

  async #note(run: Run, noted: Noted): Promise<void> {
    await noteStep(this.#world.session, run, noted, this.#world.now())
  }
}

/** Each table once; those that distributed rows refer to first. */
function tablesOf(sources: readonly Source[]): BackupTable[] {
  const found = new Map<string, BackupTable>()
  for (const { logged, whole } of sources) {
    for (const { name, placement, by, columns, key } of [...logged, ...whole])
      if (!found.has(name)) found.set(name, { name, placement, by, columns, key })
  }
  return [...found.values()]
}

/** Takes away files of a backup that its manifest does not name: of steps that were made twice. */
async function dropOthers({ files }: BackupWorld, id: string, parts: readonly Part[]): Promise<void> {
  const named = new Set(parts.map(({ file }) => folderOf(id) + file))
  const others = (await files.list(folderOf(id))).filter((key) => !named.has(key))
  if (others.length > 0) await files.remove(others)
}
