/**
 * Time zones as PostgreSQL's `TimeZone` takes them: names of the IANA's, and offsets, whose sign is POSIX's, west being positive.
 * Source: https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-TIMEZONES
 * @module
 */

import type { Column, Table } from '../../../db/catalog/catalog.ts'
import { RecentMap } from '../../../db/memory/recent-map.ts'
import { errors } from '../errors.ts'

/** A column whose times are read and shown in a zone; without one, in UTC. */
export type ZonedColumn = Column & { readonly zone?: Zone }

/** Offsets are in seconds, east being positive; times in seconds since 1970. */
export interface Zone {
  readonly name: string
  offsetAt(seconds: number): number
}

const offsetForm = /^([+-]?)(\d{1,2})(?::(\d\d))?(?::(\d\d))?$/
const maxHours = 24

/** Few zones are asked for; each keeps what it knows of quarters of hours. */
const known = new RecentMap<Zone>({
  maxEntries: 50,
  maxBytes: 50_000,
  maxEntryBytes: 10_000,
  sizeOf: () => 1000,
})

/** @throws 22023 for what is no zone */
export function zoneOf(name: string): Zone {
  const found = known.get(name) ?? fixedZone(name) ?? namedZone(name)
  known.set(name, found)
  return found
}

function fixedZone(name: string): Zone | null {
  const [, sign, hours, minutes, seconds] = offsetForm.exec(name) ?? []
  if (hours === undefined) return null
  if (seconds !== undefined && Number(seconds) > 0) throw errors.leapSeconds(name)
  if (Number(hours) > maxHours || Number(minutes ?? 0) > 59) throw errors.unknownZone(name)
  const size = Number(hours) * 3600 + Number(minutes ?? 0) * 60
  // A number of hours alone is SQL's, east being positive.
  const isEast = minutes === undefined ? sign !== '-' : sign === '-'
  const offset = isEast ? size : -size
  return { name, offsetAt: () => offset }
}

/** Tables with their times in zones, for plans to share; a table's zones are let go of when there are too many. */
const zoned = new WeakMap<Table, Map<string, Table>>()
const maxZones = 8

/** A table whose times are in a zone. */
export function inZone(table: Table, zone: Zone): Table {
  const isTime = ({ type }: Column) => type === 'timestamp' || type === 'timestamp_ms'
  if (![...table.columns.values()].some(isTime)) return table
  const byName = zoned.get(table) ?? new Map<string, Table>()
  zoned.set(table, byName)
  const kept = byName.get(zone.name)
  if (kept) return kept
  if (byName.size >= maxZones) byName.clear()
  const columns = [...table.columns].map(([name, column]): [string, ZonedColumn] => [
    name,
    isTime(column) ? { ...column, zone } : column,
  ])
  const made = { ...table, columns: new Map(columns) }
  byName.set(zone.name, made)
  return made
}

/** Zones change at quarters of hours; those that were asked for are remembered. */
const quarterSeconds = 900
const maxQuarters = 2000

function namedZone(name: string): Zone {
  let format: Intl.DateTimeFormat
  try {
    format = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' })
  } catch {
    throw errors.unknownZone(name)
  }
  const quarters = new Map<number, number>()
  return {
    name,
    offsetAt: (seconds) => {
      const quarter = Math.floor(seconds / quarterSeconds)
      const kept = quarters.get(quarter)
      if (kept !== undefined) return kept
      if (quarters.size >= maxQuarters) quarters.clear()
      const offset = shownOffset(format, quarter * quarterSeconds)
      quarters.set(quarter, offset)
      return offset
    },
  }
}

/** `GMT-07:00`, `GMT-07:52:58`, `GMT`. */
function shownOffset(format: Intl.DateTimeFormat, seconds: number): number {
  const part = format.formatToParts(seconds * 1000).find(({ type }) => type === 'timeZoneName')
  const [, sign, hours = 0, minutes = 0, rest = 0] =
    /([+-])(\d+):(\d+)(?::(\d+))?/.exec(part?.value ?? '') ?? []
  return (sign === '-' ? -1 : 1) * (Number(hours) * 3600 + Number(minutes) * 60 + Number(rest))
}

/**
 * The offset of a time that a clock in the zone shows. One that is shown twice is the later, in winter's time; one that never is, is read by
 * the offset before, both as PostgreSQL has it.
 */
export function offsetOfLocal(zone: Zone, local: number): number {
  const before = zone.offsetAt(local - 86_400)
  const after = zone.offsetAt(local + 86_400)
  const shown = [before, after].filter((offset) => zone.offsetAt(local - offset) === offset)
  return shown.length === 0 ? before : Math.min(...shown)
}

/** `2023-10-18T05:37:59.611-07:00`. @param digits of the fraction */
export function textInZone(seconds: number, digits: number, zone: Zone): string {
  const offset = zone.offsetAt(Math.floor(seconds))
  const local = new Date(Math.round((seconds + offset) * 1000)).toISOString()
  return `${local.slice(0, digits === 0 ? 19 : 23)}${offsetText(offset)}`
}

export function dateInZone(seconds: number, zone: Zone): string {
  return new Date((seconds + zone.offsetAt(Math.floor(seconds))) * 1000).toISOString().slice(0, 10)
}

function offsetText(offset: number): string {
  const size = Math.abs(offset)
  const two = (number: number) => String(number).padStart(2, '0')
  const rest = size % 60 === 0 ? '' : `:${two(size % 60)}`
  return `${offset < 0 ? '-' : '+'}${two(Math.floor(size / 3600))}:${two(Math.floor(size / 60) % 60)}${rest}`
}
