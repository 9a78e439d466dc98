/**
 * Jobs under a test's hand: the engine's parts over real databases and R2, with queues that only keep what they are sent, so
 * that a test delivers it: once, twice, late or in another order.
 */
import { env } from 'cloudflare:workers'
import type { AtollConfig } from '../../functions/areas.ts'
import { engineOf, type Services, servicesFor } from '../../functions/areas.ts'
import type { AnyJob } from '../../functions/jobs/define-job.ts'
import { runBatch } from '../../functions/jobs/run-batch.ts'
import { createJobs } from '../../functions/jobs/send-jobs.ts'
import { openAppDatabases } from '../../functions/own-code/app-databases.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { relayJobs, toldQueue } from './job-round.ts'
import { LaterWork } from './later-work.ts'

const databases = ['DB', 'SHARD_1', 'SHARD_2', 'SHARD_3']
const bindings = env as unknown as Record<string, unknown>

export interface Delivery {
  readonly acked: readonly string[]
  readonly retried: readonly string[]
}

export function createBench(jobs: readonly AnyJob[], config: Partial<AtollConfig> = {}) {
  const engine = engineOf({ tables, jobs, config: { cache: false, ...config } })
  const own = ['BUCKET', 'ATOLL_SECRET_KEY', ...databases]
  const environment = Object.fromEntries(own.map((name) => [name, bindings[name]]))
  const later = new LaterWork()
  const queued: { queue: string; id: string }[] = []
  let refuses = false
  const queue = (name: string) =>
    toldQueue((id) => {
      if (refuses) throw new Error('the queue is overloaded')
      queued.push({ queue: name, id })
    })
  const services: Services = {
    ...servicesFor(engine)(environment as never),
    queues: new Map([
      ['default', queue('default')],
      ['high', queue('high')],
    ]),
  }
  const session = () => services.cluster.open({ reads: false, seen: new Map() })
  const keep = (work: Promise<unknown>) => later.context.waitUntil(work)
  return {
    engine,
    services,
    queued,
    session,
    /** Databases and jobs as a route has them. */
    open() {
      const opened = openAppDatabases(services, engine.catalog, keep)
      return { ...opened, jobs: createJobs(services, opened) }
    },
    refuse(does: boolean) {
      refuses = does
    },
    /** One round of every relay. */
    async relay(which: readonly string[] = databases): Promise<void> {
      for (const database of which) {
        await relayJobs(engine, services, database)
      }
    },
    /** Takes all messages that are waiting. */
    take(): string[] {
      return queued.splice(0).map(({ id }) => id)
    },
    /** Delivers messages as one batch. */
    async deliver(ids: readonly string[]): Promise<Delivery> {
      const acked: string[] = []
      const retried: string[] = []
      const messages = ids.map((id) => ({
        body: { id },
        ack: () => void acked.push(id),
        retry: () => void retried.push(id),
      }))
      await runBatch(messages, engine, services, keep)
      await later.done()
      return { acked, retried }
    },
    /** Relays and delivers until nothing is due. */
    async drain(): Promise<void> {
      for (let i = 0; i < 50; i++) {
        await this.relay()
        const ids = this.take()
        if (ids.length === 0) return
        await this.deliver(ids)
      }
      throw new Error('jobs go on without end')
    },
    /** Rows of a database, or of all of them. */
    async rows<T = Record<string, unknown>>(text: string, which = databases): Promise<T[]> {
      const parts = await Promise.all(
        which.map(async (name) => (await (bindings[name] as D1Database).prepare(text).all<T>()).results),
      )
      return parts.flat()
    },
    /** Makes all that waits due now. */
    async hurry(): Promise<void> {
      for (const name of databases) {
        await (bindings[name] as D1Database)
          .prepare("UPDATE _atoll_jobs SET due = 1 WHERE due IS NOT NULL AND state <> 'running'")
          .run()
      }
    },
    /** Makes leases of jobs that run end now. */
    async endLeases(): Promise<void> {
      for (const name of databases) {
        await (bindings[name] as D1Database)
          .prepare("UPDATE _atoll_jobs SET due = 1 WHERE state = 'running'")
          .run()
      }
    },
    async clear(): Promise<void> {
      queued.length = 0
      for (const name of databases) {
        const one = bindings[name] as D1Database
        await one.batch(
          [
            '_atoll_jobs',
            '_atoll_dead_letters',
            '_atoll_job_effects',
            '_atoll_job_steps',
            '_atoll_changes',
          ].map((table) => one.prepare(`DELETE FROM ${table}`)),
        )
      }
    },
  }
}
