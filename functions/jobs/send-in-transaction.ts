import type { AppDatabases, Transaction } from '../own-code/area.ts'
import type { Jobs } from './define-job.ts'
import { boundStatementOf, resultOf } from './drizzle-statement.ts'
import { insertJobs, type NewJob } from './job-rows.ts'
import { knownJob, makeJob } from './send-jobs.ts'
import type { Services } from './services.ts'

/** The job that has been put in, or the one that has its key. */
const sentText =
  'SELECT id FROM _atoll_jobs WHERE id = ?1 OR (name = ?2 AND key = ?3) ORDER BY id = ?1 DESC LIMIT 1'

/** Sends jobs as part of a transaction: they are there when it is committed, and never when it is not. */
export function createQueuedJobs(
  services: Services,
  databases: AppDatabases,
  transaction: Transaction,
): Jobs {
  const { registry, payloads, cluster } = services
  const make: typeof makeJob = async (...terms) => {
    const made = await makeJob(...terms)
    if (made.payload === null) transaction.onUndo(() => payloads.remove([made.id]))
    return made
  }
  const insertsOf = (binding: D1Database, jobs: readonly NewJob[]) =>
    insertJobs(jobs, false).map(({ text, parameters }) => binding.prepare(text).bind(...parameters))
  return {
    async send(job, input, options = {}) {
      const { of } = options
      const session = cluster.open({ reads: false, seen: new Map() })
      const name = of === undefined ? cluster.primary : await cluster.ownerOf(String(of), session)
      const made = await make(knownJob(registry, job.name), input, options, name, payloads)
      const binding = transaction.binding(name)
      const sent = binding.prepare(sentText).bind(made.id, made.name, made.key)
      const results = await binding.batch<{ id: string }>([...insertsOf(binding, [made]), sent])
      const id = results.at(-1)?.results[0]?.id as string
      if (id !== made.id && made.payload === null) await payloads.remove([made.id])
      transaction.afterCommit(() => databases.sent(name))
      return { id, isDuplicate: id !== made.id }
    },
    async sendWith(database, statements, sendings) {
      const name = databases.nameOf(database)
      if (name === null) throw new Error('sendWith takes a database that this request was given')
      const jobs = await Promise.all(
        sendings.map(({ job, input, options }) =>
          make(knownJob(registry, job.name), input, options, name, payloads),
        ),
      )
      const binding = transaction.binding(name)
      const own = statements.map((statement) => {
        const { text, parameters } = boundStatementOf(statement, [database])
        return binding.prepare(text).bind(...parameters)
      })
      const results = await binding.batch([...own, ...insertsOf(binding, jobs)])
      transaction.afterCommit(() => databases.sent(name))
      return statements.map((statement, i) => resultOf(statement, results[i]?.results as never))
    },
  }
}
