/**
 * How long somebody is banned, as GoTrue's clients say it.
 * @module
 */
import { errors } from './errors.ts'

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

/**
 * Until when a ban lasts, in milliseconds since 1970; null: there is none.
 *
 * @param said `none`, or Go's notation of durations: `300ms`, `2h45m`
 * @throws 400 for what is neither
 */
export function bannedUntil(said: string, now: number): number | null {
  if (said === 'none') return null
  const parts = [...said.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g)]
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== said)
    throw errors.validation('invalid format for ban duration: it is "none", or like "300ms" or "2h45m"')
  const ms = parts.reduce(
    (sum, [, count, unit]) => sum + Number(count) * (unitMs[unit as string] as number),
    0,
  )
  return Math.round(now + ms)
}
