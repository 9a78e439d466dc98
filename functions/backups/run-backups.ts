/**
 * Backups and restores at work: a Durable Object's alarm takes them on, a while at a time, and rests as long as the databases have worked for it, so
 * that at least half of their time is left to callers.
 * @module
 */
import type { BackupWorld } from '../../db/backups/backup-world.ts'
import { nextRun, noteFailure, Overtaken, type Run, readRun } from '../../db/backups/backups.ts'
import type { Finding } from '../../db/backups/check-whole.ts'
import { dropLeft } from '../../db/backups/drop-left.ts'
import { forgetErased } from '../../db/backups/forget-erased.ts'
import { BadManifest } from '../../db/backups/format.ts'
import { type KeepRules, prune } from '../../db/backups/keep.ts'
import { BackupMaker, type Left, partLength } from '../../db/backups/make-backup.ts'
import { BackupRefused } from '../../db/backups/read-chain.ts'
import { BackupRestorer } from '../../db/backups/restore-backup.ts'
import { BackupVerifier } from '../../db/backups/verify-backup.ts'
import { pause } from '../../db/cluster/pause.ts'
import { ConstraintError } from '../../db/errors/constraint-error.ts'
import { invalidate, renewalOfMap } from '../cache/area.ts'
import { emit } from './events.ts'
import type { Engine, Services } from './services.ts'

/** How long one alarm works, in milliseconds. */
const roundMs = 2000
/** Pauses after a failure, in milliseconds: doubled each time; and how many in a row are the end. */
const [firstPauseMs, longestPauseMs, mostFailures] = [500, 60_000, 12]

interface Workers {
  readonly full: BackupMaker
  readonly increment: BackupMaker
  readonly restore: BackupRestorer
  readonly verify: BackupVerifier
}

/** What makes backups, as long as its Durable Object lives. */
export class BackupRounds {
  #workers: Workers | null = null
  /** For how long a step has left databases to others. */
  readonly #rested = { ms: 0 }

  /**
   * @param stayAwake sees to it that it is called again, though it should die
   * @returns when it wants to be called again, in milliseconds from now; null: when somebody asks for something
   */
  async run(services: Services, engine: Engine, stayAwake: () => Promise<void>): Promise<number | null> {
    const rested = this.#rested
    const world = worldOf(services, engine, rested)
    if (world === null) return null
    const { session } = world
    if ((await nextRun(session)) !== null) await stayAwake()
    for (const end = Date.now() + roundMs; Date.now() < end; ) {
      const start = Date.now()
      rested.ms = 0
      const run = await nextRun(session)
      if (run === null) {
        await dropLeft(world)
        return null
      }
      const left = await this.#step(world, run, engine.config.backups?.keep)
      if (typeof left === 'number') return left
      if (left === 'later') return firstPauseMs
      // What it has rested of that time counts.
      await pause(Math.max(0, Date.now() - start - 2 * rested.ms))
    }
    return 0
  }

  async #step(world: BackupWorld, run: Run, keep: KeepRules | undefined): Promise<Left | number> {
    const maker = new BackupMaker(world)
    this.#workers ??= {
      full: maker,
      increment: maker,
      restore: new BackupRestorer(world),
      verify: new BackupVerifier(world),
    }
    try {
      const left = await this.#workers[run.kind].step(run)
      await seeToEnd(world, run, keep)
      return left
    } catch (error) {
      // What it has read may be what failed; another one may be at work, or somebody has cancelled it.
      this.#workers = null
      if (error instanceof Overtaken) return firstPauseMs
      // What rows or manifests are, trying again does not change.
      const isOver =
        error instanceof BackupRefused ||
        error instanceof BadManifest ||
        error instanceof ConstraintError ||
        run.failures + 1 >= mostFailures
      emit({ kind: 'backup-failed', run: run.id, isOver, error })
      const text = error instanceof Error ? error.message : String(error)
      await world.session.primary([noteFailure(run.id, text, isOver, world.now())])
      return isOver ? 0 : Math.min(longestPauseMs, firstPauseMs * 2 ** run.failures)
    }
  }
}

async function seeToEnd(world: BackupWorld, { id, kind }: Run, keep: KeepRules | undefined): Promise<void> {
  const run = await readRun(world.session, id)
  if (run?.state !== 'done') return
  const { findings = [], instead = null } = run.progress as {
    readonly findings?: readonly Finding[]
    readonly instead?: string
  }
  const wrong = findings.filter(({ isRight }) => !isRight).map(({ check, says }) => `${check}: ${says}`)
  const isBackup = kind === 'full' || kind === 'increment'
  const pruned = isBackup && keep ? (await prune(world, keep)).gone : []
  if (isBackup) await forgetErased(world)
  emit({ kind: 'backup-done', run: id, what: kind, instead, wrong, pruned })
}

/** @param rested counts for how long it has left databases to others. @returns null when there is nowhere to put backups */
export function worldOf(
  services: Services,
  { catalog, config }: Engine,
  rested = { ms: 0 },
): BackupWorld | null {
  const { cluster, cache, backups, backupSigner } = services
  if (backups === null) return null
  const session = cluster.open({ reads: false, seen: new Map() })
  return {
    session,
    catalog,
    files: backups,
    signer: backupSigner,
    now: Date.now,
    partLength,
    keepsLogs: config.backups?.increments !== undefined,
    async rest(ms) {
      rested.ms += ms
      await pause(ms)
    },
    async forget(databases) {
      if (cache === null) return
      const tables = [...catalog.tables.keys()]
      const sets = databases.map((database) => ({ database, changes: [], upTo: 0, tables }))
      await invalidate(cache, sets, session.bookmarks, [renewalOfMap(cache.prefix, session.bookmarks)])
    },
  }
}
