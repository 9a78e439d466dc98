/**
 * A function's work on the databases as a transaction: nothing is committed before its answer stands, and then each database at once.
 * `README.md` tells how D1, which has no interactive transactions, is brought to it.
 * @module
 */
import type { Catalog } from '../../../db/catalog/catalog.ts'
import { Cluster } from '../../../db/cluster/cluster.ts'
import { pause } from '../../../db/cluster/pause.ts'
import { StillReferredError, whileRetired } from '../../../db/cluster/retire.ts'
import { isUnknown } from '../../../db/cluster/unknown-outcome.ts'
import { finishKey, requireOpen, type WriteKey } from '../../../db/cluster/write-keys.ts'
import { AtollError } from '../../../db/errors/atoll-error.ts'
import { KeyTaken } from '../../../db/errors/constraint-error.ts'
import { errors } from '../errors.ts'
import { boundOf } from '../guarded-binding.ts'
import type { Services } from '../services.ts'
import { queuedBinding, readingBinding } from './queued-binding.ts'
import { type Beside, QueuedDatabase, queuedOf, type Retired } from './queued-database.ts'

/** What is kept of a transaction along with its commit, so that it is made once though its request is sent again. */
export interface Keeping<T> {
  /** Open on all databases. */
  readonly key: WriteKey
  /** Until when a commit whose outcome is not known is tried again, in milliseconds since 1970. */
  readonly deadline: number
  /** @throws AtollError when there is too much of it */
  keep(answer: T): Promise<string>
  /** Whether this transaction is committed on a database. */
  isDone(database: string): Promise<boolean>
}

/** What carries on what was committed. */
export interface FollowsUp {
  /** Notes that rows were written. */
  wrote(name: string): void
  /** Carries it on. @throws 503 when others may be shown what was before */
  settle(): Promise<unknown>
}

/** All that a function writes, on any number of databases, committed when it ends well and never before. */
export interface Transaction {
  /** A database as those have it who write. */
  binding(name: string): D1Database
  /** The databases with what has been written so far, for reads alone. */
  readonly cluster: Cluster
  /** Ends it without a commit, whatever becomes of the error that this throws. */
  refuse(error: AtollError): never
  /** Does something when all is committed. */
  afterCommit(work: () => void): void
  /** Takes back what no database can: done when nothing is committed. */
  onUndo(work: () => Promise<unknown>): void
  /**
   * Does the work, and commits what it wrote when it ends well.
   *
   * @param commits whether to commit, or to undo what went well, too
   * @param keeping null: nothing is kept of it
   * @throws what the work throws, and AtollErrors `SHARD016`, `SHARD018`, `SHARD019`, `SHARD023`, `SHARD025` or `IDEM002`
   */
  around<T>(
    work: () => Promise<T>,
    commits: boolean,
    databases: FollowsUp,
    keeping?: Keeping<T> | null,
  ): Promise<T>
}

/** @param timeoutMs longest time that a database may take to answer a read of the cluster's */
export function openTransaction(
  { bindings, cluster, watchdog }: Services,
  catalog: Catalog,
  timeoutMs: number,
): Transaction {
  let refusal: AtollError | null = null
  const undo: (() => Promise<unknown>)[] = []
  const done: (() => void)[] = []
  const refuse = (error: AtollError): never => {
    refusal ??= error
    throw refusal
  }
  const retired: Retired = (statements, run) =>
    whileRetired(
      statements.map(boundOf),
      cluster.open({ reads: false, seen: new Map() }),
      catalog,
      (before, after) => run(before.map(queuedOf), after.map(queuedOf)),
    ).catch((error) => {
      throw error instanceof StillReferredError ? errors.stillReferred(error.part.database) : error
    })
  const queued = new Map(
    [...bindings].map(([name, binding]) => [name, new QueuedDatabase(name, binding, refuse, retired)]),
  )
  const on = (name: string) => queued.get(name) as QueuedDatabase
  const commit = async <T>(databases: FollowsUp, { written, beside, keeping }: Ready<T>) => {
    const committed: string[] = []
    for (const database of written) {
      // An answer that is lost is no sign that nothing was written.
      databases.wrote(database.name)
      await commitSurely(database, timeoutMs, beside, keeping).catch((error) => {
        throw committed.length === 0 ? error : partly(written, committed, error)
      })
      committed.push(database.name)
    }
  }
  /** What is to be committed. */
  const ready = async <T>(keeping: Keeping<T> | null, answer: T): Promise<Ready<T>> => {
    const written = [...queued.values()].filter(({ isEmpty }) => !isEmpty)
    // That it was called, and what it answered, is known though it wrote nothing.
    if (keeping !== null && written.length === 0) written.push(on(cluster.primary))
    const beside = keeping === null ? { before: [], after: [] } : await besideFor(keeping, written, answer)
    // As few as possible find out only when others have committed.
    if (written.length > 1) await Promise.all(written.map((database) => database.check()))
    return { written, beside, keeping }
  }
  return {
    binding: (name) =>
      queuedBinding(bindings.get(name) as D1Database, on(name), (why) =>
        refuse(errors.notInTransaction(why)),
      ),
    cluster: new Cluster(
      new Map([...bindings].map(([name, binding]) => [name, readingBinding(binding, on(name))])),
      { migrations: [], timeoutMs, watchdog },
    ),
    refuse,
    afterCommit: (work) => void done.push(work),
    onUndo: (work) => void undo.push(work),
    async around(work, commits, databases, keeping = null) {
      let isCommitting = false
      try {
        const answer = await work()
        // A function may have caught it; what it answers then is not what it would have been.
        if (refusal !== null) throw refusal
        if (!commits) return answer
        const all = await ready(keeping, answer)
        isCommitting = true
        await commit(databases, all)
        for (const each of done) each()
        return answer
      } catch (error) {
        throw refusal ?? error
      } finally {
        // What may have been committed keeps what belongs to it.
        if (!isCommitting) await Promise.allSettled(undo.map((each) => each()))
        await databases.settle()
      }
    },
  }
}

interface Ready<T> {
  readonly written: readonly QueuedDatabase[]
  readonly beside: Beside
  readonly keeping: Keeping<T> | null
}

async function besideFor<T>(
  { key, keep }: Keeping<T>,
  written: readonly QueuedDatabase[],
  answer: T,
): Promise<Beside> {
  const part = written.map(({ name }) => name).join(',')
  return { before: [requireOpen(key)], after: finishKey(key, part, await keep(answer)) }
}

const maxTries = 4

/** With a key, a commit whose outcome is not known is tried again: if it was made, the key says so. */
async function commitSurely<T>(
  database: QueuedDatabase,
  timeoutMs: number,
  beside: Beside,
  keeping: Keeping<T> | null,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await database.commit(beside, timeoutMs)
    } catch (error) {
      if (keeping === null) throw error
      if (error instanceof KeyTaken) {
        const isDone = await keeping.isDone(database.name).catch((cause) => {
          throw errors.outcomeUnknown(database.name, cause, { keyed: true })
        })
        if (isDone) return
        throw errors.keyBusy()
      }
      if (!isUnknown(error)) throw error
      await pause(25 * 2 ** tries * (0.5 + Math.random()))
      if (tries >= maxTries || Date.now() >= keeping.deadline) {
        throw errors.outcomeUnknown(database.name, error, { keyed: true })
      }
    }
  }
}

function partly(
  written: readonly QueuedDatabase[],
  committed: readonly string[],
  error: unknown,
): AtollError {
  const told = error instanceof AtollError ? error : errors.internal(error)
  return errors.partlyCommitted(
    written.map(({ name }, i) => ({
      database: name,
      committed: i === committed.length && isUnknown(told) ? null : committed.includes(name),
      error: i === committed.length ? told.body : null,
    })),
  )
}
