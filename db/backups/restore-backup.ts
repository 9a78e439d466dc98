/**
 * Restores a backup, step by step: rows table by table and part by part, each to the database that has its slot by now, then what is made again of
 * them, then a look at all of it. Each step is made once, and what is noted after it says where to go on.
 * @module
 */

import { fenceFor } from '../cluster/fence.ts'
import { uniqueColumnsOf } from '../cluster/unique-columns.ts'
import { nameOf } from '../cluster/unique-values.ts'
import { nextMove } from '../moves/moves.ts'
import { readMapRow } from '../moves/slot-states.ts'
import { passNumbers } from '../restores/pass-numbers.ts'
import { refillLookup } from '../restores/refill-lookup.ts'
import { ownerOf, parseMap, type ShardMap, wholeMap } from '../slots/shard-map.ts'
import { slotOf } from '../slots/slots.ts'
import type { BackupWorld } from './backup-world.ts'
import { noteStep, type Run } from './backups.ts'
import { bringUp } from './bring-up.ts'
import { type CheckPlace, checkTable, checkWhole, type Finding } from './check-whole.ts'
import { keyIn } from './count-lines.ts'
import { Erasures } from './erasures.ts'
import { asOf, type Counted, type Line, type Manifest, RowSum, toldFile } from './format.ts'
import { type LayStep, layLate, layRows } from './lay-rows.ts'
import { layJobs, laySequences } from './lay-system.ts'
import type { Left } from './make-backup.ts'
import { DamagedPart, type LastLines, readLastLines, readPart } from './parts.ts'
import { type AskedRestore, hasRowsAtOnce, type Laid, planRestore } from './plan-restore.ts'
import { BackupRefused, readChain } from './read-chain.ts'
import { type Item, itemsOf } from './restore-items.ts'
import { endFindings, type RestoreProgress } from './restore-progress.ts'
import { firstTake, type TakePlace, takeAway } from './take-away.ts'

interface Opened {
  /** Of the restore. */
  readonly id: string
  /** Of an increment, that of its whole chain. */
  readonly manifest: Manifest
  readonly last: LastLines
  readonly erasures: Erasures
}

/** Restores one backup; keeps what would have to be read again for each step. */
export class BackupRestorer {
  readonly #world: BackupWorld
  #open: Opened | null = null
  /** Keys of the backup's rows of one table. */
  #keys: { readonly table: string; readonly keys: ReadonlySet<string> } | null = null
  #part: { readonly number: number; readonly lines: readonly Line[] } | null = null

  constructor(world: BackupWorld) {
    this.#world = world
  }

  async step(run: Run): Promise<Left> {
    const { session } = this.#world
    const asked = run.asked as AskedRestore
    const progress = run.progress as RestoreProgress | null
    if (session.cluster.sharded && (await nextMove(session)) !== null) return 'later'
    if (progress === null) {
      await this.#begin(run, asked)
      return 'at once'
    }
    const damaged = { ...progress.damaged }
    const open = await this.#opened(run, asked, damaged)
    const items = itemsOf(this.#world, open.manifest, progress.laid, asked)
    const item = items[progress.item]
    const next = item && (await this.#do(run, { ...progress, damaged }, item, asked))
    const isOver = next === undefined || next.item === items.length
    await noteStep(
      session,
      run,
      { progress: { ...(next ?? progress), items: items.length }, ...(isOver ? { state: 'done' } : {}) },
      this.#world.now(),
    )
    if (isOver) this.#open = null
    return 'at once'
  }

  async #begin(run: Run, asked: AskedRestore): Promise<void> {
    const chain = await readChain(this.#world, asked.backup)
    const { laid, problems } = await planRestore(this.#world, chain, asked)
    if (problems.length > 0) throw new BackupRefused(problems.join(' '))
    const progress: RestoreProgress = {
      laid,
      item: 0,
      items: 0,
      at: null,
      rows: 0,
      expected: {},
      damaged: {},
      orphans: [],
      findings: [],
    }
    await noteStep(this.#world.session, run, { progress }, this.#world.now())
  }

  async #opened(run: Run, asked: AskedRestore, damaged: Record<string, string>) {
    if (this.#open?.id === run.id) return this.#open
    const { files } = this.#world
    const { whole: manifest } = await readChain(this.#world, asked.backup)
    const last = await readLastLines(files, manifest.id, manifest.parts, (part, error) => {
      damaged[toldFile(part)] = error.message
    })
    this.#part = null
    this.#open = { id: run.id, manifest, last, erasures: await Erasures.read(this.#world) }
    return this.#open
  }

  async #do(run: Run, progress: RestoreProgress, item: Item, asked: AskedRestore): Promise<RestoreProgress> {
    const { session, catalog } = this.#world
    const { manifest } = this.#open as Opened
    const done = { ...progress, item: progress.item + 1, at: null }
    const step: LayStep = { restore: run.id, step: progress.item }
    switch (item.kind) {
      case 'look': {
        const part = manifest.parts[item.part] as Manifest['parts'][number]
        const wrong = await this.#linesOf(manifest, item.part).then(
          () => progress.damaged[toldFile(part)] ?? null,
          (error) => {
            if (error instanceof DamagedPart) return error.message
            throw error
          },
        )
        if (wrong !== null) throw new BackupRefused(`${wrong}, so that nobody knows which rows are to go.`)
        return done
      }
      case 'take':
      case 'take rest': {
        const { laid } = item
        const kept = await this.#keysOf(laid, asked)
        const at = (progress.at as TakePlace | null) ?? firstTake
        const took = await takeAway(this.#world, laid, asked, kept, await this.#map(), at)
        if ('place' in took) return { ...progress, at: took.place }
        const stayed = item.kind === 'take rest' && took.stayed > 0 ? { [laid.table.name]: took.stayed } : {}
        return { ...done, taken: (done.taken ?? 0) + took.gone, stayed: { ...done.stayed, ...stayed } }
      }
      case 'lay':
      case 'late':
        return this.#lay(done, step, item, asked)
      case 'copies':
        if (session.cluster.sharded) await bringUp(this.#world)
        return done
      case 'sequences':
        await laySequences(this.#world, step, await this.#whole(manifest, '_atoll_sequences'))
        return done
      case 'jobs':
        await layJobs(
          this.#world,
          step,
          await this.#whole(manifest, '_atoll_jobs'),
          await this.#whole(manifest, '_atoll_job_steps'),
          manifest,
          await this.#map(),
        )
        return done
      case 'numbers':
        await passNumbers(session, catalog, () => undefined)
        return done
      case 'lookup': {
        const unique = [...catalog.tables.values()]
          .flatMap(uniqueColumnsOf)
          .find((one) => nameOf(one) === item.name)
        const findings: Finding[] = []
        const at = unique
          ? await refillLookup(session, unique, progress.at as string | null, (note) => {
              findings.push({ check: `lookup of ${item.name}`, isRight: false, says: JSON.stringify(note) })
            })
          : null
        const found = { ...progress, findings: [...progress.findings, ...findings] }
        return at === null ? { ...found, item: progress.item + 1, at: null } : { ...found, at }
      }
      case 'forget':
        await this.#world.forget(session.cluster.databases)
        return done
      case 'check': {
        const { table } = item.laid
        const isAll = asked.into === 'empty' && !hasRowsAtOnce(table)
        const expected = isAll ? (progress.expected[table.name] ?? nothing) : null
        const map = await this.#map()
        const looked = await checkTable(
          this.#world,
          item.laid,
          map,
          expected,
          progress.at as CheckPlace | null,
        )
        return 'place' in looked
          ? { ...progress, at: looked.place }
          : { ...done, findings: [...progress.findings, ...looked.findings] }
      }
      default: {
        const whole = await checkWhole(this.#world)
        return { ...done, findings: [...progress.findings, ...endFindings(progress), ...whole] }
      }
    }
  }

  async #lay(
    done: RestoreProgress,
    step: LayStep,
    { kind, laid, part: number }: Extract<Item, { readonly kind: 'lay' | 'late' }>,
    asked: AskedRestore,
  ): Promise<RestoreProgress> {
    const { session } = this.#world
    const { manifest, last, erasures } = this.#open as Opened
    const part = manifest.parts[number] as Manifest['parts'][number]
    const lines = await this.#linesOf(manifest, number).catch((error) => {
      if (error instanceof DamagedPart) return error
      throw error
    })
    if (lines instanceof DamagedPart)
      return { ...done, damaged: { ...done.damaged, [toldFile(part)]: lines.message } }
    const { name } = laid.table
    const erased = await erasures.linesOf(lines, manifest.tables, asOf(manifest, part))
    const all = lines.filter(
      (line, i) =>
        line.table === name &&
        line.row !== null &&
        (asked.value === null || line.value === asked.value) &&
        (part.kind === 'whole' || last.isLast(part, number, i, line)),
    )
    const wanted = all.filter((line) => !erased.has(line))
    const map = await this.#map()
    const targets = Map.groupBy(wanted, ({ value }) =>
      laid.isRouted ? ownerOf(map, slotOf(value ?? '')) : session.cluster.primary,
    )
    let hasOrphans = false
    const leavesOrphans = asked.into !== 'empty' || Object.keys(done.damaged).length > 0
    for (const [database, own] of targets) {
      const slots = new Set(own.map(({ value }) => slotOf(value ?? '')))
      const isFenced = laid.isRouted && session.cluster.sharded
      const fenced = { ...step, fence: isFenced ? fenceFor({ database, slots }, map, session) : [] }
      if (kind === 'late') await layLate(session, database, fenced, laid, own)
      else if (await layRows(session, database, fenced, laid, own, asked, leavesOrphans)) hasOrphans = true
    }
    if (kind === 'late') return done
    const before = done.expected[name]
    const sum = before ? RowSum.from(before.sum, before.rows) : new RowSum()
    for (const line of wanted) sum.add(name, keyIn(manifest.tables, line), line.row as string)
    return {
      ...done,
      rows: done.rows + wanted.length,
      forgotten: (done.forgotten ?? 0) + all.length - wanted.length,
      expected: { ...done.expected, [name]: { rows: sum.rows, sum: sum.text } },
      orphans: hasOrphans ? [...new Set([...done.orphans, name])] : done.orphans,
    }
  }

  /** Keys of the rows that the backup has of a table. */
  async #keysOf({ table: { name } }: Laid, asked: AskedRestore) {
    const { manifest, last } = this.#open as Opened
    if (this.#keys?.table === name) return this.#keys.keys
    const keys = new Set<string>()
    for (const [number, part] of manifest.parts.entries()) {
      if (!part.tables.includes(name)) continue
      for (const [i, line] of (await this.#linesOf(manifest, number)).entries())
        if (
          line.table === name &&
          line.row !== null &&
          (asked.value === null || line.value === asked.value) &&
          (part.kind === 'whole' || last.isLast(part, number, i, line))
        )
          keys.add(line.key)
    }
    this.#keys = { table: name, keys }
    return keys
  }

  /** Tables that come one after the other are often in one part. */
  async #linesOf({ id, parts }: Manifest, number: number): Promise<readonly Line[]> {
    if (this.#part?.number !== number) {
      const lines = await readPart(this.#world.files, id, parts[number] as Manifest['parts'][number])
      this.#part = { number, lines }
    }
    return this.#part.lines
  }

  async #whole(manifest: Manifest, table: string): Promise<Line[]> {
    const { erasures } = this.#open as Opened
    const found: Line[] = []
    for (const [number, part] of manifest.parts.entries()) {
      if (part.kind !== 'whole' || !part.tables.includes(table)) continue
      const lines = await this.#linesOf(manifest, number)
      const erased = await erasures.linesOf(lines, manifest.tables, asOf(manifest, part))
      found.push(...lines.filter((line) => line.table === table && !erased.has(line)))
    }
    return found
  }

  async #map(): Promise<ShardMap> {
    const { session } = this.#world
    const { cluster } = session
    return (cluster.sharded ? parseMap(await readMapRow(session)) : null) ?? wholeMap(cluster.primary)
  }
}

const nothing: Counted = { rows: 0, sum: new RowSum().text }
