/**
 * What is known of a pool, gathered from the isolates that have reported lately.
 * @module
 */
import type { Health } from './check-origin.ts'
import type { PoolDeclaration } from './declarations.ts'
import type { OriginCounts, OriginOrders } from './origin.ts'
import type { Pool } from './pool.ts'
import type { OriginView, PoolView } from './shown-pool.ts'

/** What an isolate says of one origin. Counts are since the isolate began, so that a report that is lost or comes twice does no harm. */
export interface OriginReport {
  readonly outstanding: number
  readonly latencyMs: number
  /** How much longer it is left alone, in milliseconds; 0: it is not. */
  readonly ejectedMs: number
  readonly ejectedFor: string
  readonly counts: OriginCounts
}

export interface PoolReport {
  readonly isolate: string
  readonly origins: Readonly<Record<string, OriginReport>>
  readonly refused: number
  readonly isPanic: boolean
  readonly breaker: string
}

export function reportOf(isolate: string, pool: Pool, now: number): PoolReport {
  const origins = pool.origins.map((origin) => {
    origin.lookAt(now)
    const { until, reason } = origin.outlier.last
    const report: OriginReport = {
      outstanding: origin.outstanding,
      latencyMs: origin.latencyMs,
      ejectedMs: Math.max(0, until - now),
      ejectedFor: reason,
      counts: structuredClone(origin.counts),
    }
    return [origin.name, report] as const
  })
  const { refused, isPanic, breaker } = pool
  return { isolate, origins: Object.fromEntries(origins), refused, isPanic, breaker: breaker.state }
}

export interface Received {
  readonly report: PoolReport
  /** Milliseconds since 1970. */
  readonly at: number
  /** The one before. */
  readonly before: { readonly report: PoolReport; readonly at: number } | null
}

export function gather(
  name: string,
  declared: PoolDeclaration | undefined,
  orders: Readonly<Record<string, OriginOrders>>,
  health: Readonly<Record<string, Health>>,
  received: readonly Received[],
  now: number,
): PoolView {
  const origins = Object.entries(declared?.origins ?? {}).map(([origin, entry]) => {
    const {
      url,
      weight: declaredWeight = 1,
      priority = 0,
    } = typeof entry === 'string' ? { url: entry } : entry
    const { weight = null, mode = 'active', isHealthy = true } = orders[origin] ?? {}
    const reports = received.flatMap(({ report }) => report.origins[origin] ?? [])
    const ejected = reports.filter(({ ejectedMs }) => ejectedMs > 0)
    const known = reports.map(({ latencyMs }) => latencyMs).filter((ms) => ms > 0)
    const rates = received.map((one) => ratesOf(one, origin, now))
    const view: OriginView = {
      name: origin,
      url: typeof url === 'string' ? url : `{${url.variable}}`,
      priority,
      weight: weight ?? declaredWeight,
      declaredWeight,
      mode,
      state: mode !== 'active' ? mode : !isHealthy ? 'ill' : ejected.length > 0 ? 'ejected' : 'up',
      problem: health[origin]?.problem ?? null,
      checkedAt: health[origin]?.checkedAt ?? null,
      outstanding: reports.reduce((sum, { outstanding }) => sum + outstanding, 0),
      latencyMs: known.length === 0 ? null : known.reduce((sum, ms) => sum + ms, 0) / known.length,
      requestsPerSecond: rates.reduce((sum, { requests }) => sum + requests, 0),
      errorsPerSecond: rates.reduce((sum, { failures }) => sum + failures, 0),
      ejectedIn: ejected.length,
      ejectedFor: [...new Set(ejected.map(({ ejectedFor }) => ejectedFor))],
    }
    return view
  })
  return {
    name,
    strategy: declared?.strategy ?? 'least-request',
    isolates: received.length,
    isPanic: received.some(({ report }) => report.isPanic),
    broken: received.filter(({ report }) => report.breaker !== 'closed').length,
    origins,
  }
}

/** How long a report's rates are taken to go on, in milliseconds: isolates report only while they have requests. */
const rateMs = 5000

function ratesOf({ report, at, before }: Received, origin: string, now: number) {
  const seconds = before === null ? 0 : (at - before.at) / 1000
  const [counts, old] = [report.origins[origin]?.counts, before?.report.origins[origin]?.counts]
  if (!counts || !old || seconds <= 0 || now - at > rateMs) return { requests: 0, failures: 0 }
  return {
    requests: (counts.requests - old.requests) / seconds,
    failures: (counts.failures - old.failures) / seconds,
  }
}
