/**
 * A pool as operators see it. Types alone, for the Worker and for the dashboard's page.
 * @module
 */
import type { PoolDeclaration } from './declarations.ts'

/** What operators say of an origin: `draining` takes only callers that are kept at it, `disabled` nobody. */
export type OriginMode = 'active' | 'draining' | 'disabled'

export interface OriginView {
  readonly name: string
  /** As it is declared: a text, or the variable that holds it. */
  readonly url: string
  readonly priority: number
  readonly weight: number
  readonly declaredWeight: number
  readonly mode: OriginMode
  readonly state: 'up' | 'ill' | 'ejected' | 'draining' | 'disabled'
  /** What the last check found; null: all well, or never checked. */
  readonly problem: string | null
  readonly checkedAt: number | null
  readonly outstanding: number
  /** Peak EWMA, the mean over the isolates that know it. */
  readonly latencyMs: number | null
  readonly requestsPerSecond: number
  readonly errorsPerSecond: number
  /** Isolates that leave it alone, of those that report. */
  readonly ejectedIn: number
  readonly ejectedFor: readonly string[]
}

export interface PoolView {
  readonly name: string
  readonly strategy: PoolDeclaration['strategy']
  readonly isolates: number
  readonly isPanic: boolean
  /** Isolates whose breaker is open. */
  readonly broken: number
  readonly origins: readonly OriginView[]
}
