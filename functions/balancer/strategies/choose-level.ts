/**
 * Priority groups with failover, and panic. Source:
 * https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/priority
 * @module
 */
import type { Random } from './strategy.ts'

/** Origins of one priority. */
export interface Level<Origin> {
  readonly all: readonly Origin[]
  /** Those that are well. */
  readonly available: readonly Origin[]
}

/** A group is taken to bear all of its load while this times its healthy part is at least one. */
const overprovisioning = 1.4

/**
 * The origins that may be chosen for a request. The first priority takes everything while enough of it is well; what it cannot bear
 * goes to the next, a part of the requests at a time. Where less is well than the panic threshold and no other priority bears
 * it, everybody is tried: sending all to a few would end these as well.
 *
 * @param levels by priority, the first first; none is empty
 */
export function chooseLevel<Origin>(
  levels: readonly Level<Origin>[],
  panicThreshold: number,
  random: Random,
): { readonly origins: readonly Origin[]; readonly isPanic: boolean } {
  const health = levels.map(({ all, available }) =>
    Math.min(1, (overprovisioning * available.length) / all.length),
  )
  const sum = health.reduce((total, share) => total + share, 0)
  let left = 1
  const loads = health.map((share) => {
    const load = sum >= 1 ? Math.min(left, share) : sum === 0 ? 0 : share / sum
    left -= load
    return load
  })
  let draw = random()
  let chosen = loads.findIndex((load) => {
    draw -= load
    return draw < 0
  })
  if (chosen < 0)
    chosen = Math.max(
      0,
      loads.findLastIndex((load) => load > 0),
    )
  const level = levels[chosen] as Level<Origin>
  const isPanic = sum < 1 && level.available.length / level.all.length < panicThreshold
  return { origins: isPanic ? level.all : level.available, isPanic }
}
