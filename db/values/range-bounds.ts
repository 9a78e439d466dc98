/**
 * Bounds of ranges: read as PostgreSQL reads values of their types, and written so that equal ones are equal texts.
 * @module
 */
import { errors } from './errors.ts'

/** How the bounds of one kind of range are read. */
export interface BoundType {
  /** What PostgreSQL calls it. */
  readonly name: string
  /** @throws AtollError for what is none */
  readonly read: (text: string) => string
  /** Whether the first is below, equal to or above the second: negative, 0, positive. */
  readonly compare: (a: string, b: string) => number
  /** The value behind one, of types whose values can be counted; null for others. */
  readonly next: ((text: string) => string) | null
}

function integers(name: string, bits: number): BoundType {
  const [least, most] = [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n]
  const within = (value: bigint, text: string) => {
    if (value >= least && value <= most) return String(value)
    throw errors.outOfRange(name, text)
  }
  return {
    name,
    read: (text) => {
      const digits = text.trim()
      if (!/^[+-]?\d+$/.test(digits)) throw errors.invalidText(name, text)
      return within(BigInt(digits.replace('+', '')), text)
    },
    compare: (a, b) => sign(BigInt(a), BigInt(b)),
    next: (text) => {
      if (BigInt(text) < most) return String(BigInt(text) + 1n)
      throw errors.noNext(name)
    },
  }
}

/** Digits that the database compares exactly. */
const maxDigits = 15
const maxPlaces = 40

const numeric: BoundType = {
  name: 'numeric',
  read: (text) => {
    const found = /^\s*([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?\s*$/.exec(text)
    const [, minus = '', whole = '', part = '', exponent = '0'] = found ?? []
    if (found === null || whole + part === '') throw errors.invalidText('numeric', text)
    const digits = (whole + part).replace(/^0+/, '').replace(/0+$/, '')
    if (digits === '') return '0'
    // Where the point stands, counted from the first digit that is not 0.
    const zeros = /^0*/.exec(whole + part)?.[0].length ?? 0
    const point = whole.length + Number(exponent) - zeros
    if (digits.length > maxDigits || Math.abs(point) > maxPlaces - maxDigits)
      throw errors.outOfRange('numeric', text, `Bounds of numrange have ${maxDigits} digits at most.`)
    const above = point <= 0 ? '0' : digits.slice(0, point).padEnd(point, '0')
    const below = point <= 0 ? '0'.repeat(-point) + digits : digits.slice(point)
    return `${minus === '-' ? '-' : ''}${above}${below === '' ? '' : `.${below}`}`
  },
  compare: (a, b) => sign(Number(a), Number(b)),
  next: null,
}

const isEnd = (text: string) => /^-?infinity$/.test(text)

/** As texts: `-infinity` stands before all digits, `infinity` behind them. */
const byText = (a: string, b: string) => sign(a, b)

const timeForm =
  /^(\d{4,6})-(\d\d)-(\d\d)(?:[Tt ]+(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,15}))?)?)?\s*(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?)?$/
const lastYear = 9999
const millisecondsPerDay = 86_400_000

interface Moment {
  /** Milliseconds since 1970, in whole seconds. */
  readonly at: number
  readonly microseconds: number
  /** Minutes east of UTC; null when it does not say. */
  readonly offset: number | null
}

function momentOf(type: string, text: string): Moment {
  const found = timeForm.exec(text.trim())
  if (found === null) throw errors.invalidTime(type, text)
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const [fraction = '', utc, east, hours = '0', minutes = '0'] = found.slice(7)
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  const isDate = year >= 1 && year <= lastYear && date.getUTCMonth() === month - 1 && day > 0
  const isTime = (hour < 24 || (hour === 24 && minute + second === 0)) && minute < 60 && second <= 60
  if (!isDate || !isTime) throw errors.timeOutOfRange(text)
  if (Number(hours) > 15 || Number(minutes) > 59) throw errors.zoneOutOfRange(text)
  const microseconds = Math.round(Number(`0.${fraction || '0'}`) * 1e6)
  const whole = date.getTime() + (hour * 3600 + minute * 60 + second) * 1000
  const size = Number(hours) * 60 + Number(minutes)
  const isOpen = utc === undefined && east === undefined
  return {
    at: whole + Math.floor(microseconds / 1e6) * 1000,
    microseconds: microseconds % 1e6,
    offset: isOpen ? null : east === '-' ? -size : size,
  }
}

function dateText(at: number, text: string): string {
  const date = new Date(at)
  const year = date.getUTCFullYear()
  if (!(year >= 1 && year <= lastYear)) throw errors.timeOutOfRange(text)
  return date.toISOString().slice(0, 10)
}

const date: BoundType = {
  name: 'date',
  read: (text) => {
    const end = text.trim().toLowerCase()
    if (isEnd(end)) return end
    const { at } = momentOf('date', text)
    return dateText(Math.floor(at / millisecondsPerDay) * millisecondsPerDay, text)
  },
  compare: byText,
  next: (text) => (isEnd(text) ? text : dateText(Date.parse(text) + millisecondsPerDay, text)),
}

function timestamps(name: string, zoned: boolean): BoundType {
  return {
    name,
    read: (text) => {
      const end = text.trim().toLowerCase()
      if (isEnd(end)) return end
      const { at, microseconds, offset } = momentOf(name, text)
      // Without a zone of its own, the type drops what a text says of one.
      const shown = zoned ? at - (offset ?? 0) * 60_000 : at
      const fraction =
        microseconds === 0 ? '' : `.${String(microseconds).padStart(6, '0').replace(/0+$/, '')}`
      const day = dateText(shown, text)
      return `${day} ${new Date(shown).toISOString().slice(11, 19)}${fraction}${zoned ? '+00' : ''}`
    },
    compare: byText,
    next: null,
  }
}

function sign<T extends bigint | number | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** By what PostgreSQL calls the ranges of them. */
export const boundTypes = {
  int4range: integers('integer', 32),
  int8range: integers('bigint', 64),
  numrange: numeric,
  daterange: date,
  tsrange: timestamps('timestamp', false),
  tstzrange: timestamps('timestamp with time zone', true),
} as const satisfies Record<string, BoundType>

/** What PostgreSQL calls its ranges. */
export type RangeKind = keyof typeof boundTypes
