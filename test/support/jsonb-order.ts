import type { Json } from '../../functions/rest/compile/json-predicates.ts'

export const isObject = (value: Json): value is { readonly [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** jsonb's order: null, texts, numbers, booleans, arrays, objects; of two arrays or objects first by how many elements. */
export function jsonbOrder(a: Json, b: Json): number {
  const rank = (value: Json) =>
    value === null
      ? 0
      : Array.isArray(value)
        ? 4
        : (({ string: 1, number: 2, boolean: 3, object: 5 } as Record<string, number>)[
            typeof value
          ] as number)
  const sign = (one: number | string, other: number | string) => (one < other ? -1 : one > other ? 1 : 0)
  const first = (signs: readonly number[]) => signs.find((one) => one !== 0) ?? 0
  if (rank(a) !== rank(b)) return sign(rank(a), rank(b))
  if (Array.isArray(a) && Array.isArray(b))
    return first([sign(a.length, b.length), ...a.map((element, i) => jsonbOrder(element, b[i]))])
  if (isObject(a) && isObject(b)) {
    const keysOf = (value: object) =>
      Object.keys(value).sort((one, other) => one.length - other.length || sign(one, other))
    const [own, others] = [keysOf(a), keysOf(b)]
    const pairs = own.flatMap((key, i) => {
      const other = others[i] as string
      // Values are compared only where all before them are the same.
      return [sign(key, other), key === other ? jsonbOrder(a[key] as Json, b[other] as Json) : 0]
    })
    return first([sign(own.length, others.length), ...pairs])
  }
  return a === null
    ? 0
    : sign(Number(a === true) || (a as number | string), Number(b === true) || (b as number | string))
}
