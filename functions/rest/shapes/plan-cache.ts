import type { Rights } from '../../access/area.ts'
import { CompileCache, type CompileTerms } from './compile-cache.ts'

/**
 * Keeps plans by shape, role and the wording of the caller's policies. The values in them, what a token claims,
 * are bound to the statement for each request, so that callers share plans and never rows.
 */
export class PlanCache<Value> {
  /** Names of the conditions that a shape and role ask. A shape that asks none has its plan under its own key. */
  readonly #asked: CompileCache<readonly string[]>
  readonly #plans: CompileCache<Value>

  constructor(terms: CompileTerms<Value>) {
    const { sizeOf: _, ...others } = terms
    this.#asked = new CompileCache({ ...others, name: `${terms.name}-conditions` })
    this.#plans = new CompileCache(terms)
  }

  /**
   * @param make plans with `rights`, asking it for all that the plan depends on
   * @param keeps asked when a plan was made: whether it is worth keeping
   */
  getOrMake(shape: string, rights: Rights, make: () => Value, keeps: () => boolean = () => true): Value {
    const key = `${rights.caller.role}\n${shape}`
    const known = this.#asked.get(key)
    const worded = (names: readonly string[]) => `${key}\n${rights.texts(names)}`
    const kept = this.#plans.get(known === undefined ? key : worded(known))
    if (kept !== undefined) return kept
    const value = make()
    if (!keeps()) return value
    const { asked } = rights
    // What was asked is known from the shape and role alone; a caller may have asked more of it for other reasons.
    const names = known ?? asked
    if (known === undefined && names.length > 0) this.#asked.keep(key, names)
    this.#plans.keep(names.length === 0 ? key : worded(names), value)
    return value
  }
}
