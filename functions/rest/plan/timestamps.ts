/**
 * Dates and times as PostgreSQL reads ISO 8601, and nothing that has to be guessed: no names of months, no other order, no words.
 * Source: https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-DATETIME-INPUT
 * @module
 */
import { errors } from '../errors.ts'
import { offsetOfLocal, type Zone } from './zones.ts'

const form =
  /^(\d{4,6})-(\d\d)-(\d\d)(?:[Tt ]+(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,15}))?)?)?\s*(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?)?$/
const typeName = 'timestamp with time zone'
/** What SQLite's functions for dates can show. */
const lastYear = 9999
const maxOffsetHours = 15

/**
 * When a text says that something was: in seconds since 1970 for `timestamp`, in milliseconds for `timestamp_ms`, with what it has of a
 * fraction. Without a zone of its own it is in that which is given, or UTC; a date alone is its midnight.
 *
 * @throws 22007 for what is no date, 22008 for one that no calendar has or that cannot be shown, 22009 for a zone that is none
 */
export function timestampOf(type: 'timestamp' | 'timestamp_ms', text: string, zone?: Zone): number {
  const found = form.exec(text.trim())
  if (found === null) throw errors.invalidTimestamp(typeName, text)
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const [fraction = '', utc, sign, hours, minutes] = found.slice(7)
  const isMidnight = hour === 24 && minute === 0 && second === 0 && Number(fraction) === 0
  const isReal =
    year >= 1 &&
    year <= lastYear &&
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= daysIn(year, month) &&
    (hour < 24 || isMidnight) &&
    minute < 60 &&
    // A leap second is the next minute's first.
    second <= 60
  if (!isReal) throw errors.timestampOutOfRange(text)
  if (Number(hours ?? 0) > maxOffsetHours || Number(minutes ?? 0) > 59) throw errors.zoneOutOfRange(text)
  const offset = (sign === '-' ? -1 : 1) * (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60
  const at = new Date(0)
  at.setUTCFullYear(year, month - 1, day)
  const local = at.getTime() / 1000 + hour * 3600 + minute * 60 + second
  const isOpen = utc === undefined && sign === undefined
  const seconds = local - (isOpen && zone ? offsetOfLocal(zone, local) : offset)
  const shown = new Date(seconds * 1000).getUTCFullYear()
  if (shown < 1 || shown > lastYear) throw errors.timestampOutOfRange(text)
  if (fraction === '') return type === 'timestamp' ? seconds : seconds * 1000
  return type === 'timestamp'
    ? seconds + Number(`0.${fraction}`)
    : seconds * 1000 + Number(`0.${fraction}`) * 1000
}

function daysIn(year: number, month: number): number {
  const at = new Date(0)
  at.setUTCFullYear(year, month, 0)
  return at.getUTCDate()
}
