/**
 * A function's work on the databases as a transaction: nothing is committed before its answer stands, and then each database at once.
 * `README.md` tells how D1, which has no interactive transactions, is brought to it.
 * @module
 */
import { Cluster } from '../../db/cluster/cluster.ts'
import type { AppDatabases } from '../app-databases.ts'
import type { Services } from '../context.ts'
import { AtollError, errors } from '../errors.ts'
import { queuedBinding, readingBinding } from './queued-binding.ts'
import { QueuedDatabase } from './queued-database.ts'

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
   * @throws what the work throws, and AtollErrors `SHARD016`, `SHARD018`, `SHARD019` or `SHARD023`
   */
  around<T>(work: () => Promise<T>, commits: boolean, databases: AppDatabases): Promise<T>
}

/** @param timeoutMs longest time that a database may take to answer a read of the cluster's */
export function openTransaction({ bindings, watchdog }: Services, timeoutMs: number): Transaction {
  let refusal: AtollError | null = null
  const undo: (() => Promise<unknown>)[] = []
  const done: (() => void)[] = []
  const refuse = (error: AtollError): never => {
    refusal ??= error
    throw refusal
  }
  const queued = new Map(
    [...bindings].map(([name, binding]) => [name, new QueuedDatabase(name, binding, refuse)]),
  )
  const on = (name: string) => queued.get(name) as QueuedDatabase
  const commit = async (databases: AppDatabases) => {
    const written = [...queued.values()].filter(({ isEmpty }) => !isEmpty)
    // As few as possible find out only when others have committed.
    if (written.length > 1) await Promise.all(written.map((database) => database.check()))
    const committed: string[] = []
    for (const database of written) {
      // An answer that is lost is no sign that nothing was written.
      databases.wrote(database.name)
      await database.commit().catch((error) => {
        throw committed.length === 0 ? error : partly(written, committed, error)
      })
      committed.push(database.name)
    }
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
    async around(work, commits, databases) {
      let isCommitting = false
      try {
        const answer = await work()
        // A function may have caught it; what it answers then is not what it would have been.
        if (refusal !== null) throw refusal
        if (!commits) return answer
        isCommitting = true
        await commit(databases)
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

function partly(
  written: readonly QueuedDatabase[],
  committed: readonly string[],
  error: unknown,
): AtollError {
  const told = error instanceof AtollError ? error : errors.internal(error)
  return errors.partlyCommitted(
    written.map(({ name }, i) => ({
      database: name,
      committed: committed.includes(name),
      error: i === committed.length ? told.body : null,
    })),
  )
}
