import type { Rights } from '../access/rights.ts'
import { CompileCache } from './compile-cache.ts'

/** Conditions differ in their text only when a policy says another thing to another caller: seldom, and in few ways. */
const variantsPerShape = 50

/** What requests of one shape and role share: which conditions they ask, and a plan for each way these can be worded. */
interface Family<Value> {
  asked: readonly string[] | null
  readonly variants: CompileCache<Value>
}

/**
 * Keeps plans by shape, role and the wording of the caller's policies. The values in them, what a token claims,
 * are bound to the statement for each request, so that callers share plans and never rows.
 */
export class PlanCache<Value> {
  readonly #families: CompileCache<Family<Value>>

  constructor(maxEntries: number) {
    this.#families = new CompileCache(maxEntries)
  }

  /** @param make plans with `rights`, asking it for all that the plan depends on */
  getOrMake(shape: string, rights: Rights, make: () => Value): Value {
    const family = this.#families.getOrMake(
      `${rights.caller.role}\n${shape}`,
      (): Family<Value> => ({ asked: null, variants: new CompileCache(variantsPerShape) }),
    )
    if (family.asked !== null) return family.variants.getOrMake(rights.texts(family.asked), make)
    const value = make()
    family.asked = rights.asked
    return family.variants.getOrMake(rights.texts(family.asked), () => value)
  }
}
