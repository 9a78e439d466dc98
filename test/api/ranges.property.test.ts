import { env } from 'cloudflare:workers'
import { integer, sqliteTable } from 'drizzle-orm/sqlite-core'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import {
  daterange,
  defineTables,
  int4range,
  int8range,
  local,
  numrange,
  tsrange,
  tstzrange,
} from '../../db/define.ts'
import { shownTriggers } from '../../db/system/shown-triggers.ts'
import type { RangeKind } from '../../db/values/range-bounds.ts'
import { isCanonical } from '../../db/values/range-sql.ts'
import { canonicalRange } from '../../db/values/ranges.ts'
import { defineFunction, rows as rowsOf } from '../../functions/define.ts'
import { gatewayOver } from '../support/clinic.ts'
import { compare, holds, placesOf, type Sign, type Span } from '../support/range-oracle.ts'

const spans = sqliteTable('spans', {
  id: integer('id').primaryKey(),
  int4range: int4range('int4range'),
  int8range: int8range('int8range'),
  numrange: numrange('numrange'),
  daterange: daterange('daterange'),
  tsrange: tsrange('tsrange'),
  tstzrange: tstzrange('tstzrange'),
})
const notes = sqliteTable('span_notes', {
  id: integer('id').primaryKey(),
  spanId: integer('span_id').references(() => spans.id),
})

const { DB } = env as unknown as { DB: D1Database }
const all = { select: true, insert: true, update: true, delete: true } as const
const tables = defineTables({
  spans: local(spans, { access: { anon: all } }),
  notes: local(notes, { access: { anon: all } }),
})
const ask = gatewayOver(
  tables,
  {},
  {
    every_span: defineFunction({
      input: z.object({}),
      returns: rowsOf(spans),
      stable: true,
      roles: ['anon'],
      run: ({ database }) => database.select().from(spans),
    }),
  },
)

beforeAll(async () => {
  const columns = kinds.map((kind) => `${kind} ${kind}`).join(', ')
  const table = buildCatalog(tables).tables.get('spans')
  if (table === undefined) throw new Error('no such table')
  await DB.batch(
    [
      `CREATE TABLE spans (id INTEGER PRIMARY KEY, ${columns})`,
      'CREATE TABLE span_notes (id INTEGER PRIMARY KEY, span_id INTEGER REFERENCES spans (id))',
      ...shownTriggers(table).map(([, text]) => text),
    ].map((statement) => DB.prepare(statement)),
  )
})
afterAll(async () => {
  await DB.batch(['DROP TABLE span_notes', 'DROP TABLE spans'].map((text) => DB.prepare(text)))
})

const kinds = [
  'int4range',
  'int8range',
  'numrange',
  'daterange',
  'tsrange',
  'tstzrange',
] as const satisfies RangeKind[]
const isDiscrete = (kind: RangeKind) => kind === 'int4range' || kind === 'int8range' || kind === 'daterange'

/** Points of a few, so that bounds meet; each is written in several ways. */
const written: Readonly<Record<RangeKind, (at: number, way: number) => string>> = {
  int4range: (at, way) => [String(at), ` ${at} `, `"${at}"`][way % 3] as string,
  int8range: (at, way) => {
    const value = 9007199254740993n + BigInt(at)
    return [String(value), `+${value}`][way % 2] as string
  },
  numrange: (at, way) => {
    const value = (at * 0.25 - 0.5).toString()
    return [value, value.includes('.') ? `${value}0` : `${value}.00`, `${value}e0`][way % 3] as string
  },
  daterange: (at, way) => {
    const day = new Date(Date.UTC(2024, 1, 27 + at)).toISOString()
    return [day.slice(0, 10), `${day.slice(0, 10)} 12:30`][way % 2] as string
  },
  tsrange: (at, way) => {
    const time = new Date(Date.UTC(2023, 11, 31, 23, 59, 59, 600 + at * 100)).toISOString()
    return [time, time.replace('T', ' ').slice(0, -1), `"${time.replace('Z', '+03')}"`][way % 3] as string
  },
  tstzrange: (at, way) => {
    const utc = Date.UTC(2023, 11, 31, 23, 30 + 15 * at)
    const east = new Date(utc + 7_200_000).toISOString().slice(0, 19)
    return [new Date(utc).toISOString(), `${east}+02`, `"${east.replace('T', ' ')}+02:00"`][way % 3] as string
  },
}

const limit = fc.option(
  fc.record({ at: fc.integer({ min: 0, max: 6 }), inclusive: fc.boolean(), way: fc.nat(5) }),
  { freq: 5 },
)
/** A span, and how it is written. */
const said = (kind: RangeKind) =>
  fc
    .oneof(
      { weight: 1, arbitrary: fc.constant('empty' as const) },
      { weight: 12, arbitrary: fc.tuple(limit, limit) },
    )
    .filter((both) => both === 'empty' || both[0] === null || both[1] === null || both[0].at <= both[1].at)
    .map((both): { span: Span; text: string } => {
      if (both === 'empty') return { span: 'empty', text: 'empty' }
      const [from, to] = both
      const bound = (one: typeof from) => (one === null ? '' : written[kind](one.at, one.way))
      return {
        span: { from, to },
        text: `${from?.inclusive ? '[' : '('}${bound(from)},${bound(to)}${to?.inclusive ? ']' : ')'}`,
      }
    })

const signs: readonly Sign[] = [
  'sl',
  'sr',
  'nxr',
  'nxl',
  'adj',
  'ov',
  'cs',
  'cd',
  'eq',
  'neq',
  'gt',
  'gte',
  'lt',
  'lte',
]

const someSigns = fc.shuffledSubarray([...signs], { minLength: 4, maxLength: 4 })

async function read<T>(path: string, init: RequestInit = {}): Promise<T> {
  const answer = await ask(`/rest/v1/${path}`, init)
  if (!answer.ok) throw new Error(`${decodeURIComponent(path)}: ${answer.status} ${await answer.text()}`)
  return answer.json<T>()
}
const idsOf = async (path: string) =>
  (await read<{ id: number }[]>(path)).map(({ id }) => id).sort((a, b) => a - b)

const seed = Math.floor(Math.random() * 2 ** 31)

describe(`ranges, seed ${seed}`, () => {
  it.each(kinds)(
    'of %s compare as sets do, and what is shown finds its rows',
    async (kind) => {
      const rows = fc.array(fc.option(said(kind), { freq: 8 }), { minLength: 1, maxLength: 8 })
      await fc.assert(
        fc.asyncProperty(
          rows,
          said(kind),
          someSigns,
          fc.boolean(),
          async (table, operand, asked, descending) => {
            await DB.batch(['DELETE FROM span_notes', 'DELETE FROM spans'].map((text) => DB.prepare(text)))
            const sent = table.map((one, i) => ({ id: i + 1, [kind]: one?.text ?? null }))
            const kept = await read<Record<string, string | null>[]>(`spans?select=${kind}&order=id`, {
              method: 'POST',
              headers: { 'Content-Type': 'application/json', Prefer: 'return=representation' },
              body: JSON.stringify(sent),
            })
            await DB.prepare('INSERT INTO span_notes SELECT id, id FROM spans').run()
            const shown = kept.map((row) => row[kind] as string | null)
            expect(await read(`rpc/every_span?select=${kind}&order=id`)).toEqual(kept)
            const places = table.map((one) =>
              one === null ? null : { at: placesOf(one.span, isDiscrete(kind)) },
            )
            for (const [i, one] of places.entries()) {
              // Equal ones are one text, and that is read as itself.
              const same = places.flatMap((other, j) =>
                one !== null && other !== null && compare(one.at, other.at) === 0 ? [j] : [],
              )
              for (const j of same) expect(shown[j]).toBe(shown[i])
              const text = shown[i] ?? null
              if (text === null) continue
              expect(canonicalRange(kind, text)).toBe(text)
              expect(await idsOf(`spans?select=id&${kind}=eq.${encodeURIComponent(text)}`)).toEqual(
                same.map((j) => j + 1),
              )
            }
            for (const sign of asked) {
              const expected = table.flatMap((one, i) =>
                one !== null && holds(sign, one.span, operand.span, isDiscrete(kind)) ? [i + 1] : [],
              )
              const filter = `${kind}=${sign}.${encodeURIComponent(operand.text)}`
              const told = `${kind} ${sign} ${operand.text} of ${JSON.stringify(shown)}`
              expect(await idsOf(`spans?select=id&${filter}`), told).toEqual(expected)
              expect(await idsOf(`rpc/every_span?select=id&${filter}`), `rpc ${told}`).toEqual(expected)
              expect(
                await idsOf(`span_notes?select=id,spans!inner()&spans.${filter}`),
                `embed ${told}`,
              ).toEqual(expected)
              const quoted = `"${operand.text.replaceAll('"', '\\"')}"`
              const logic = encodeURIComponent(`(id.lt.0,${kind}.${sign}.${quoted})`)
              expect(await idsOf(`spans?select=id&or=${logic}`), `or ${told}`).toEqual(expected)
              const others = table.flatMap((one, i) =>
                one !== null && !expected.includes(i + 1) ? [i + 1] : [],
              )
              expect(await idsOf(`spans?select=id&${filter.replace('=', '=not.')}`), `not ${told}`).toEqual(
                others,
              )
              expect(await idsOf(`spans?select=id&not.or=${logic}`), `not.or ${told}`).toEqual(others)
            }
            const direction = descending ? 'desc' : 'asc'
            const order = places
              .map((one, i) => ({ one, id: i + 1 }))
              .sort((a, b) => {
                if (a.one === null || b.one === null)
                  return (
                    (Number(a.one === null) - Number(b.one === null)) * (descending ? -1 : 1) || a.id - b.id
                  )
                return compare(a.one.at, b.one.at) * (descending ? -1 : 1) || a.id - b.id
              })
              .map(({ id }) => id)
            const ordered = await read<{ id: number }[]>(`spans?select=id&order=${kind}.${direction},id`)
            expect(ordered.map(({ id }) => id)).toEqual(order)
            const others = await read<{ id: number }[]>(
              `span_notes?select=id,spans(id)&order=spans(${kind}).${direction},id`,
            )
            expect(others.map(({ id }) => id)).toEqual(order)
          },
        ),
        { seed, numRuns: 12 },
      )
    },
    120_000,
  )

  it.each(kinds)(
    'of %s are refused by the database in any other form',
    async (kind) => {
      await fc.assert(
        fc.asyncProperty(fc.array(said(kind), { minLength: 20, maxLength: 20 }), async (some) => {
          const texts = some.map(({ text }) => text)
          const sql = `SELECT ${isCanonical('value', kind)} AS n FROM json_each(?)`
          const { results } = await DB.prepare(sql).bind(JSON.stringify(texts)).all<{ n: number }>()
          const expected = texts.map((text) => Number(canonicalRange(kind, text) === text))
          expect(
            results.map(({ n }) => n),
            JSON.stringify(texts),
          ).toEqual(expected)
          const kept = texts.map((text) => canonicalRange(kind, text))
          const again = await DB.prepare(sql).bind(JSON.stringify(kept)).all<{ n: number }>()
          expect(
            again.results.every(({ n }) => n === 1),
            JSON.stringify(kept),
          ).toBe(true)
        }),
        { seed, numRuns: 10 },
      )
      const insert = (text: string) => DB.prepare(`INSERT INTO spans (${kind}) VALUES (?)`).bind(text).run()
      await expect(insert('[9,1)')).rejects.toThrow('atoll/rule/range/')
      await expect(insert('anything')).rejects.toThrow('atoll/rule/range/')
      await insert('empty')
    },
    60_000,
  )
})
