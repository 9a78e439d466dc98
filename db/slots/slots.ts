/**
 * Slots: the hash buckets that distributed rows fall into.
 * @module
 */

/** As many as Redis Cluster has: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/ */
export const slotCount = 16_384

const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  return crc
})

const encoder = new TextEncoder()

/** CRC16 (XMODEM) of a key modulo 16,384, exactly as Redis Cluster: of the part in `{…}` when there is one. */
export function keySlot(key: string): number {
  let crc = 0
  for (const byte of encoder.encode(hashTag(key))) {
    crc = ((crc << 8) & 0xffff) ^ (table[((crc >> 8) ^ byte) & 0xff] as number)
  }
  return crc % slotCount
}

/** What is between the first `{` and the next `}`, unless that is nothing; else the whole key. */
function hashTag(key: string): string {
  const open = key.indexOf('{')
  const close = open < 0 ? -1 : key.indexOf('}', open + 1)
  return close > open + 1 ? key.slice(open + 1, close) : key
}

/** The slot of a distribution value: the one that a routed id names, or that its text hashes to. */
export function slotOf(value: string): number {
  return routedSlot(value) ?? keySlot(value)
}

/** Crockford's base 32, which ULIDs are written in: https://www.crockford.com/base32.html */
const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const routedText = /^[0-9A-HJKMNP-TV-Z]{3}[0-7][0-9A-HJKMNP-TV-Z]{25}$/

/** What a routed id of text is made of, for those who read it in SQL. */
export const routedForm = { digits, length: 29 } as const

/** The slot that a routed id of text begins with; null for any other text. */
export function routedSlot(id: string): number | null {
  if (!routedText.test(id)) return null
  let slot = 0
  for (const digit of id.slice(0, 3)) slot = slot * 32 + digits.indexOf(digit)
  return slot < slotCount ? slot : null
}

/** The slot that a routed id names, of text or an integer given as text; null for what is none. */
export function slotOfId(id: string, isInteger: boolean): number | null {
  if (!isInteger) return routedSlot(id)
  return /^\d{1,16}$/.test(id) && Number(id) <= Number.MAX_SAFE_INTEGER ? Number(id) % slotCount : null
}

/**
 * An integer that carries a slot: the slot is what is left of it when it is divided by 16,384, and what it is divided to counts
 * the rows of its table. Ids of a table's first rows have five or six digits, those of its millionth eleven.
 *
 * @param number from 1 to 549,755,813,887, so that the id stays below 2^53
 */
export function makeRoutedNumber(slot: number, number: number): number {
  return number * slotCount + slot
}

/** The number of the row that an integer id was made with. */
export function numberOfId(id: number): number {
  return Math.floor(id / slotCount)
}

/**
 * A new routed id: three characters of slot, then a ULID (10 of time in milliseconds, 16 random). Ids of one slot sort by
 * the time that they were made at.
 */
export function makeRoutedId(slot: number, now = Date.now()): string {
  return base32(slot, 3) + makeUlid(now)
}

/** A new ULID: 10 characters of time in milliseconds, 16 random. */
export function makeUlid(now = Date.now()): string {
  const random = crypto.getRandomValues(new Uint8Array(16))
  return base32(now, 10) + Array.from(random, (byte) => digits[byte & 31]).join('')
}

function base32(value: number, length: number): string {
  let text = ''
  for (let rest = value, i = 0; i < length; i++, rest = Math.floor(rest / 32)) text = digits[rest % 32] + text
  return text
}
