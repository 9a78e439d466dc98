/**
 * Bytes that a value takes in V8, about, by walking it once. Functions count as nothing: what they close over cannot be seen.
 *
 * @param isShared what others keep in any case, and is not counted
 */
export function sizeOf(value: unknown, isShared: (value: object) => boolean = () => false): number {
  const seen = new Set<object>()
  const walk = (one: unknown): number => {
    if (typeof one === 'string') return textBytes(one)
    if (typeof one === 'bigint') return 24
    if (typeof one !== 'object' || one === null) return 0
    if (seen.has(one) || isShared(one)) return 0
    seen.add(one)
    if (ArrayBuffer.isView(one)) return objectBytes + one.byteLength
    let bytes = objectBytes
    if (Array.isArray(one)) {
      for (const item of one) bytes += slotBytes + walk(item)
      return bytes
    }
    if (one instanceof Map || one instanceof Set) {
      for (const [key, item] of one.entries()) bytes += 5 * slotBytes + walk(key) + walk(item)
      return bytes + 10 * slotBytes
    }
    for (const name in one) bytes += slotBytes + walk((one as Record<string, unknown>)[name])
    return bytes
  }
  return walk(value)
}

/** Header of an object, and of what an array or object keeps its parts in. */
const objectBytes = 32
/** A reference; half of it where pointers are compressed, as on the platform. */
const slotBytes = 8

/** One byte for each character, two when any is beyond U+00FF. */
export function textBytes(text: string): number {
  return 24 + text.length * (wide.test(text) ? 2 : 1)
}

const wide = /[^\0-\xff]/
