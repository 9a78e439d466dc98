/**
 * What a release would do.
 * @module
 */
import { releaseOrder } from '../../../db/migrate/release-order.ts'
import { planText } from '../../../db/migrate/report.ts'
import { readAccount } from '../cloudflare/account-state.ts'
import { lacksKeys } from './keys.ts'
import { locationOf } from './make-resources.ts'
import {
  isUpToDate,
  type Made,
  openAll,
  plan,
  type Release,
  type ReleaseOptions,
  tornText,
} from './release.ts'

/** What `carryOut` would do, in lines; it changes nothing. */
export async function planRelease(release: Release, options: ReleaseOptions): Promise<readonly string[]> {
  const { account, wanted, migrations, config } = release
  const state = await readAccount(account, wanted)
  const lines: string[] = []
  for (const { binding, name, id } of state.databases) {
    if (id === null)
      lines.push(`makes the database ${name} (${binding}), ${locationText(locationOf(binding, config))}`)
  }
  for (const [name, id] of state.queues) if (id === null) lines.push(`makes the queue ${name}`)
  for (const [name, is] of state.buckets) if (!is) lines.push(`makes the bucket ${name}`)
  if (lacksKeys(state.worker)) lines.push('makes keys, hands them to the Worker and shows them once')
  const isWhole = state.databases.every(({ id }) => id !== null)
  const opened = isWhole ? openAll(account, state.databases as readonly Made[]) : new Map()
  const deploys = (await isUpToDate(release, state, opened, options))
    ? []
    : [`deploys ${wanted.worker}${state.worker === null ? ', which is new' : ''}`]
  if (!isWhole)
    lines.push(...deploys, `applies all ${migrations.length} migrations to databases that are new`)
  else {
    const reports = await plan(release, opened)
    const order = releaseOrder(migrations, reports)
    const told = reports.some(({ planned }) => planned.length > 0) ? planText(reports) : []
    if (told.length > 0) lines.push('migrations:', ...told.map((line) => `  ${line}`))
    if (order.after.length > 0) lines.push(`${order.after.join(', ')}: after the deployment`)
    if (order.torn.length > 0 && state.worker !== null) lines.push(tornText(order))
    lines.push(...deploys)
  }
  if (config.readReplicas !== null)
    lines.push(`sees to it that read replicas are ${config.readReplicas ? 'on' : 'off'}`)
  return lines.length === 0 ? ['Nothing to do: everything is deployed as it is here.'] : lines
}

function locationText(location: string | null): string {
  return location === null ? 'close to here' : `in ${location}`
}
