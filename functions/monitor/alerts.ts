/**
 * Alerts: a service level that begins to burn its budget too fast, or no longer does, and a shard that does not follow the primary
 * database, are told by a job that sends a signed request.
 * @module
 */
import { z } from 'zod'
import { lastGoodBackup } from '../../db/backups/backups.ts'
import { copiesBehind } from '../../db/cluster/bring-up-copies.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import type { BackupsConfig } from '../backups/area.ts'
import {
  type EngineJob,
  type JobContext,
  type JobsConfig,
  knownJob,
  sendSigned,
  sendTo,
  webhookRetry,
} from '../jobs/area.ts'
import type { MonitorConfig } from './config.ts'
import { emit } from './events.ts'
import { shownObjectives } from './service-levels.ts'
import type { Services } from './services.ts'

const alertJobName = 'atoll:alert'

const alert = z.discriminatedUnion('type', [
  z.object({
    type: z.enum(['service-level.burning', 'service-level.recovered']),
    timestamp: z.string(),
    data: z.object({ objective: z.string(), target: z.number(), burn_rate: z.number() }),
  }),
  z.object({
    type: z.enum(['backup.overdue', 'backup.made']),
    timestamp: z.string(),
    data: z.object({ last: z.string().nullable() }),
  }),
  z.object({
    type: z.enum(['copies.behind', 'copies.caught-up']),
    timestamp: z.string(),
    data: z.object({ database: z.string(), changes: z.number() }),
  }),
])

/** The job that sends alerts, where the configuration says where to. */
export function alertJobs(config: MonitorConfig & JobsConfig): readonly EngineJob[] {
  const { alertWebhook } = config
  if (alertWebhook === null) return []
  return [
    {
      name: alertJobName,
      input: alert,
      retry: webhookRetry,
      timeoutSeconds: 15,
      run: ({ id, input, signal }: JobContext<z.output<typeof alert>>, { setting }) =>
        sendSigned(
          { what: 'alertWebhook', ...alertWebhook, id, body: JSON.stringify(input), signal },
          config,
          setting,
        ),
    },
  ]
}

/**
 * Looks at the service levels, and tells of those that have changed.
 *
 * @param before names of those that were burning
 * @returns names of those that are
 */
export async function watchObjectives(
  services: Services,
  config: MonitorConfig & JobsConfig,
  before: readonly string[],
): Promise<readonly string[]> {
  if (services.metrics === null || config.objectives.length === 0) return []
  const states = await shownObjectives(config, services.metrics())
  for (const { name, target, burnRate, isBurning } of states) {
    if (isBurning === before.includes(name)) continue
    emit({ kind: isBurning ? 'service-level-burning' : 'service-level-recovered', objective: name, burnRate })
    await send(services, config, {
      type: isBurning ? 'service-level.burning' : 'service-level.recovered',
      timestamp: new Date().toISOString(),
      data: { objective: name, target, burn_rate: burnRate },
    })
  }
  return states.filter(({ isBurning }) => isBurning).map(({ name }) => name)
}

/**
 * Looks at the copies of reference tables just after they were brought up, and tells of shards that are behind all the same.
 *
 * @param before names of those that were behind
 * @returns names of those that are
 */
export async function watchCopies(
  services: Services,
  config: MonitorConfig & JobsConfig,
  session: ClusterSession,
  before: readonly string[],
): Promise<readonly string[]> {
  if (!services.cluster.sharded) return []
  const behind = await copiesBehind(session)
  for (const { database, entries } of behind) {
    const isBehind = entries > 0
    if (isBehind === before.includes(database)) continue
    emit({ kind: isBehind ? 'copies-behind' : 'copies-caught-up', database, changes: entries })
    await send(services, config, {
      type: isBehind ? 'copies.behind' : 'copies.caught-up',
      timestamp: new Date().toISOString(),
      data: { database, changes: entries },
    })
  }
  return behind.filter(({ entries }) => entries > 0).map(({ database }) => database)
}

/**
 * Looks how old the last good backup is, and tells when it is too old, and when there is a newer one again.
 *
 * @param before whether it was, as one name or none
 * @returns the same as it is now
 */
export async function watchBackups(
  services: Services,
  config: MonitorConfig & JobsConfig & BackupsConfig,
  session: ClusterSession,
  before: readonly string[],
): Promise<readonly string[]> {
  const maxAgeSeconds = config.backups?.maxAgeSeconds
  if (maxAgeSeconds === undefined) return []
  const at = await lastGoodBackup(session)
  const isOverdue = at === null || Date.now() - at > maxAgeSeconds * 1000
  if (isOverdue !== before.length > 0) {
    const last = at === null ? null : new Date(at).toISOString()
    emit({ kind: isOverdue ? 'backup-overdue' : 'backup-recovered', last })
    await send(services, config, {
      type: isOverdue ? 'backup.overdue' : 'backup.made',
      timestamp: new Date().toISOString(),
      data: { last },
    })
  }
  return isOverdue ? ['backup'] : []
}

async function send(
  services: Services,
  config: MonitorConfig & JobsConfig,
  input: z.input<typeof alert>,
): Promise<void> {
  if (config.alertWebhook === null) return
  const { relay, cluster } = services
  const sent = () => void relay?.carry(cluster.primary).catch(() => undefined)
  await sendTo(services, { sent }, knownJob(services.registry, alertJobName), input, {})
}
