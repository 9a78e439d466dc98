/**
 * Three versions of a JSON text become one: what Atoll changed since the fork's version is taken over, what the fork changed stays.
 * @module
 */

export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json
}

/** Who is right where both changed the same value, or where it is not known who did. */
export type Owner = 'atoll' | 'theirs'

export interface MergedJson {
  readonly value: Json
  /** Where both had a say and one had to give way, in words. */
  readonly notes: readonly string[]
}

/**
 * @param base the version of Atoll that the fork came from; undefined when it is not at hand: then nothing is taken away
 * @param ownerOf by the names that lead to a value
 */
export function mergeJson(
  base: Json | undefined,
  theirs: Json,
  next: Json,
  ownerOf: (path: readonly string[]) => Owner,
): MergedJson {
  const notes: string[] = []

  function merge(
    path: readonly string[],
    base: Json | undefined,
    theirs: Json | undefined,
    next: Json | undefined,
  ): Json | undefined {
    if (same(theirs, next)) return theirs
    if (isObject(theirs) && isObject(next))
      return mergeObjects(path, isObject(base) ? base : undefined, theirs, next)
    if (base !== undefined && same(theirs, base)) return next
    if (base !== undefined && same(next, base)) return theirs
    // Nobody took anything away: one of them has brought it.
    if (base === undefined && (theirs === undefined || next === undefined)) return theirs ?? next
    const owner = ownerOf(path)
    const [kept, left] = owner === 'atoll' ? [next, theirs] : [theirs, next]
    const name = path.join('.')
    notes.push(
      owner === 'atoll'
        ? `${name} is Atoll's ${shown(kept)}; yours was ${shown(left)}`
        : `${name} stays ${shown(kept)}; Atoll's is ${shown(left)}`,
    )
    return kept
  }

  function mergeObjects(
    path: readonly string[],
    base: JsonObject | undefined,
    theirs: JsonObject,
    next: JsonObject,
  ) {
    const merged = [...namesOf(theirs, next)].map((key) => {
      const value = merge([...path, key], base?.[key], theirs[key], next[key])
      return [key, value] as const
    })
    return Object.fromEntries(merged.filter(([, value]) => value !== undefined)) as JsonObject
  }

  return { value: merge([], base, theirs, next) as Json, notes }
}

/** In their order; what is new stands behind what it follows at Atoll's. */
function namesOf(theirs: JsonObject, next: JsonObject): Set<string> {
  const names = Object.keys(theirs)
  let at = 0
  for (const name of Object.keys(next)) {
    const found = names.indexOf(name)
    if (found < 0) names.splice(at, 0, name)
    at = found < 0 ? at + 1 : found + 1
  }
  return new Set(names)
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function same(a: Json | undefined, b: Json | undefined): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b)
}

const shown = (value: Json | undefined) => (value === undefined ? 'not there' : JSON.stringify(value))
