/// <reference types="@cloudflare/vitest-plugin/types" />
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Env } from '../../functions/areas.ts'
import type { Delta } from '../../functions/meter/delta.ts'
import type { MetricsAccess } from '../../functions/meter/metrics-access.ts'
import { type MetricsStorage, MetricsTables } from '../../functions/meter/metrics-tables.ts'

const hour = 3600
/** At the beginning of an hour. */
const start = 1_800_000_000 - (1_800_000_000 % hour)

describe('what is measured', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  const open = (name: string) => (env as unknown as Env).METRICS?.getByName(name) as unknown as MetricsAccess
  let sequence = 0
  const hand = async (store: MetricsAccess, at: number, n = 1) => {
    vi.setSystemTime(at * 1000)
    const delta: Delta = {
      isolate: 'one',
      sequence: ++sequence,
      counters: { 'requests{area="rest"}': n },
      histograms: { 'request_seconds{area="rest"}': { buckets: [[100, n]], sum: n } },
      shapes: [],
      events: [],
    }
    await store.record(delta)
  }
  const sums = async (store: MetricsAccess, step: number) => {
    const points = await store.points(step, 0)
    return points.map(({ at, measures }) => [
      at - start,
      measures.counters['requests{area="rest"}'],
      measures.histograms['request_seconds{area="rest"}']?.buckets[0]?.[1],
    ])
  }

  it('is kept by tens of seconds, and rolled up into minutes and hours when these are over', async () => {
    const store = open('rolls')
    for (const at of [0, 3, 12, 59, 60, 61, 3599, 3600, 3661]) await hand(store, start + at)
    expect(await sums(store, 60)).toEqual([
      [0, 4, 4],
      [60, 2, 2],
      [3540, 1, 1],
      [3600, 1, 1],
    ])
    expect(await sums(store, hour)).toEqual([[0, 7, 7]])
    expect((await store.totals()).counters['requests{area="rest"}']).toBe(9)
  })

  it('loses nothing when nobody asks for hours', async () => {
    const store = open('rests')
    await hand(store, start, 5)
    await hand(store, start + 35, 3)
    await hand(store, start + 50 * hour, 1)
    // Its tens and minutes are too old by now; its hour is there.
    expect(await sums(store, hour)).toEqual([[0, 8, 8]])
    expect(await sums(store, 60)).toEqual([])
    expect(await sums(store, 10)).toEqual([[50 * hour, 1, 1]])
  })

  it('is forgotten when it is old, and read by family', async () => {
    const store = open('forgets')
    await hand(store, start)
    await hand(store, start + hour)
    await hand(store, start + 100 * 24 * hour)
    await hand(store, start + 100 * 24 * hour + hour)
    expect((await sums(store, hour)).map(([at]) => at)).toEqual([100 * 24 * hour])
    const [point] = await store.points(hour, 0, ['request_seconds'])
    expect(Object.keys(point?.measures.counters ?? {})).toEqual([])
    expect(Object.keys(point?.measures.histograms ?? {})).toEqual(['request_seconds{area="rest"}'])
  })

  it('lies in rows of less than a megabyte, however much is told apart, and adds up', async () => {
    const stub = (env as unknown as Env).METRICS?.getByName('rows') as never
    await runInDurableObject(stub, async (_, state: DurableObjectState) => {
      let longest = 0
      const refusing: MetricsStorage = {
        transactionSync: (work) => state.storage.transactionSync(work),
        sql: {
          exec: ((text: string, ...values: unknown[]) => {
            for (const value of values) longest = Math.max(longest, String(value).length)
            // As the platform does with rows of a Durable Object.
            if (longest > 2_000_000) throw new Error('string or blob too big: SQLITE_TOOBIG')
            return state.storage.sql.exec(text, ...values)
          }) as SqlStorage['exec'],
        },
      }
      const store = new MetricsTables(refusing)
      const buckets = Array.from({ length: 400 }, (_, i): [number, number] => [i, 1])
      for (let n = 1; n <= 6; n++) {
        vi.setSystemTime((start + 70 * n) * 1000)
        const series = (i: number) => `request_seconds{route="${n % 2} ${i}"}`
        await store.record({
          isolate: 'one',
          sequence: n,
          counters: { 'requests{area="rest"}': 1 },
          histograms: Object.fromEntries(
            Array.from({ length: 300 }, (_, i) => [series(i), { buckets, sum: 400 }]),
          ),
          shapes: Array.from({ length: 300 }, (_, i) => ({
            shape: `${n} ${i} ${'x'.repeat(7500)}`,
            method: 'GET',
            table: 'tracks',
            statement: null,
            calls: 1,
            ms: i,
            rowsRead: i,
            rowsWritten: 0,
            rowsReturned: 1,
          })),
          events: [],
          kept: { plans: { bytes: 10 * n, entries: n } },
        })
      }
      expect(longest).toBeLessThan(1_000_000)
      const totals = await store.totals()
      expect(Object.keys(totals.histograms)).toHaveLength(600)
      expect(totals.histograms['request_seconds{route="0 7"}']?.sum).toBe(1200)
      expect(totals.counters['requests{area="rest"}']).toBe(6)
      const minutes = await store.points(60, 0)
      expect(minutes.map(({ measures }) => Object.keys(measures.histograms).length)).toEqual([
        300, 300, 300, 300, 300,
      ])
      const shapes = await store.shapes(2)
      // What cost most is what is kept.
      expect(shapes.length).toBeGreaterThan(50)
      expect(Math.min(...shapes.map(({ rowsRead }) => rowsRead))).toBeGreaterThan(200)
      expect(await store.kept()).toEqual({ plans: { isolates: 1, bytes: 60, mostBytes: 60, entries: 6 } })
    })
  })
})
