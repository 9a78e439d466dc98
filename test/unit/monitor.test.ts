import { describe, expect, it, vi } from 'vitest'
import { openTrace, writeTrace } from '../../functions/core/request-trace.ts'
import type { Delta, ShapeDelta } from '../../functions/meter/delta.ts'
import { handOver } from '../../functions/meter/hand-over.ts'
import { addMeasures, addShapes, nothing } from '../../functions/meter/merge.ts'
import { Meter } from '../../functions/meter/meter.ts'
import type { MetricsAccess } from '../../functions/meter/metrics-access.ts'
import { joinStores } from '../../functions/meter/metrics-stores.ts'
import { seriesOf } from '../../functions/meter/series.ts'
import { Spans } from '../../functions/meter/spans.ts'
import { candidateSets, covers, nameOf, sqlOf } from '../../functions/monitor/advise/candidates.ts'
import { tablesRead } from '../../functions/monitor/advise/statement-columns.ts'
import { writeMetrics } from '../../functions/monitor/open-metrics.ts'
import { stateOf } from '../../functions/monitor/service-levels.ts'
import tail from '../../functions/monitor/tail/tail.ts'

const cost = { ms: 1, rowsRead: 10, rowsWritten: 0, rowsReturned: 1 }
const about = { shape: 'id=eq.…', method: 'GET', table: 'tracks', statement: null }

describe('a meter', () => {
  it('hands over what it has counted, and the same again until it has arrived', () => {
    const meter = new Meter(() => [])
    expect(meter.take()).toBeNull()
    meter.count('requests', { area: 'rest' })
    meter.count('requests', { area: 'rest' }, 2)
    meter.time('request_seconds', { area: 'rest' }, 5)
    meter.shape('k', () => about, cost)
    meter.shape('k', () => about, cost)
    const first = meter.take() as Delta
    expect(first).toMatchObject({
      sequence: 1,
      counters: { 'requests{area="rest"}': 3 },
      histograms: { 'request_seconds{area="rest"}': { sum: 5 } },
      shapes: [{ ...about, calls: 2, rowsRead: 20, ms: 2 }],
    })
    meter.count('requests', { area: 'rest' })
    expect(meter.take()).toBe(first)
    meter.arrived(first)
    expect(meter.take()).toMatchObject({ sequence: 2, counters: { 'requests{area="rest"}': 1 }, shapes: [] })
  })

  it('loses and doubles nothing over a connection that fails before and behind the store', async () => {
    const meter = new Meter(() => [])
    const totals = nothing()
    const seen = new Map<string, number>()
    let failures = 0
    const store = {
      async record(delta: Delta) {
        const turn = failures++ % 3
        if (turn === 0) throw new Error('lost on the way')
        if ((seen.get(delta.isolate) ?? 0) < delta.sequence) {
          seen.set(delta.isolate, delta.sequence)
          addMeasures(totals, delta)
        }
        if (turn === 1) throw new Error('its answer was lost')
      },
    } as unknown as MetricsAccess
    for (let i = 0; i < 30; i++) {
      meter.count('requests', {}, i)
      await handOver(meter, store)
    }
    for (let i = 0; i < 4; i++) await handOver(meter, store)
    // What the failures told the log is none of it.
    expect(totals.counters.requests).toBe((29 * 30) / 2)
  })

  it('is divided when it is too much for the store, each count once, and dropped when nothing is left to divide', async () => {
    const meter = new Meter(() => [])
    const taken = new Map<string, number>()
    const totals = nothing()
    let calls = 0
    const store = {
      record: async (delta: Delta) => {
        calls++
        if ((taken.get(delta.isolate) ?? 0) >= delta.sequence) return
        if (JSON.stringify(delta.shapes).length > 3000)
          throw new Error('string or blob too big: SQLITE_TOOBIG')
        taken.set(delta.isolate, delta.sequence)
        addMeasures(totals, delta)
        // Its answer is lost: it comes once more, and counts once.
        if (calls % 5 === 0) throw new Error('lost')
      },
    } as unknown as MetricsAccess
    const about = (length: number) => () => ({
      shape: 'x'.repeat(length),
      method: 'GET',
      table: 't',
      statement: null,
    })
    const cost = { ms: 1, rowsRead: 1, rowsWritten: 0, rowsReturned: 1 }
    for (let i = 0; i < 40; i++) {
      meter.count('requests', { route: `r${i}` }, 1)
      meter.shape(`s${i}`, about(i === 7 ? 5000 : 500), cost)
    }
    for (let i = 0; i < 60; i++) await handOver(meter, store)
    expect(meter.take()).toBeNull()
    expect(calls).toBeLessThan(200)
    const { metrics_dropped: dropped, ...others } = totals.counters
    expect(dropped).toBe(1)
    expect(Object.values(others)).toEqual(Array(40).fill(1))
  })

  it('is given up in the end by a store that never takes it', async () => {
    const meter = new Meter(() => [])
    const store = { record: () => Promise.reject(new Error('no answer')) } as unknown as MetricsAccess
    meter.count('requests', {}, 1)
    for (let i = 0; i < 20; i++) await handOver(meter, store)
    expect(meter.take()?.counters).toEqual({ metrics_dropped: 1 })
  })

  it('keeps a bound on bytes of shapes, whatever is asked', () => {
    const meter = new Meter(() => [])
    const statement = { text: 'y'.repeat(9000), parameters: [] }
    const cost = { ms: 1, rowsRead: 1, rowsWritten: 0, rowsReturned: 1 }
    for (let i = 0; i < 300; i++) {
      const shape = `${i}${'x'.repeat(i % 2 === 0 ? 8000 : 40_000)}`
      meter.shape(shape, () => ({ shape, method: 'GET', table: 't', statement }), cost)
    }
    const delta = meter.take() as Delta
    expect(JSON.stringify(delta).length).toBeLessThan(700_000)
    const told = delta.shapes.reduce((sum, { calls }) => sum + calls, 0)
    expect(told + (delta.counters.shapes_untold ?? 0)).toBe(300)
  })

  it('keeps a bound on series, whatever labels come', () => {
    const meter = new Meter(() => [])
    for (let i = 0; i < 5000; i++) meter.count('requests', { route: `r${i}` })
    const { counters } = meter.take() as Delta
    expect(Object.keys(counters).length).toBeLessThanOrEqual(2001)
    expect(Object.values(counters).reduce((sum, n) => sum + n, 0)).toBe(5000)
  })
})

describe('several stores', () => {
  it('are one to who hands over and to who looks', async () => {
    const kept = [0, 1, 2].map(() => ({ deltas: [] as Delta[] }))
    const stores = joinStores(3, (i) => {
      const { deltas } = kept[i] as (typeof kept)[number]
      const sum = () => {
        const measures = nothing()
        for (const delta of deltas) addMeasures(measures, delta)
        return measures
      }
      return {
        record: async (delta) => void deltas.push(delta),
        totals: async () => sum(),
        points: async () => [
          { at: 10, measures: sum() },
          { at: 20 + i, measures: nothing() },
        ],
        shapes: async () => deltas.flatMap(({ shapes }) => shapes),
        events: async () => deltas.flatMap(({ events }) => events),
        kept: async () => ({
          plans: { isolates: 1, bytes: 10 * (i + 1), mostBytes: 10 * (i + 1), entries: 1 },
        }),
      }
    })
    for (let i = 0; i < 30; i++) {
      const delta: Delta = {
        isolate: `isolate ${i}`,
        sequence: 1,
        counters: { a: 1 },
        histograms: {},
        shapes: [{ ...about, ...cost, calls: 1 }],
        events: [{ at: i, kind: 'pool-panic', text: '' }],
      }
      await stores.record(delta)
      await stores.record({ ...delta, sequence: 2 })
    }
    for (const { deltas } of kept) {
      expect(deltas.length).toBeGreaterThan(4)
      // An isolate's are together.
      expect(deltas.filter(({ sequence }) => sequence === 1).length * 2).toBe(deltas.length)
    }
    expect((await stores.totals()).counters).toEqual({ a: 60 })
    const points = await stores.points(10, 0)
    expect(points.map(({ at }) => at)).toEqual([10, 20, 21, 22])
    expect(points[0]?.measures.counters).toEqual({ a: 60 })
    expect((await stores.shapes(1)).map(({ calls }) => calls)).toEqual([60])
    expect((await stores.events())[0]?.at).toBe(29)
  })
})

describe('a Worker that the platform tells of runs', () => {
  it('counts them with their processor time', async () => {
    const taken: Delta[] = []
    const METRICS = { getByName: () => ({ record: async (delta: Delta) => void taken.push(delta) }) }
    const run = (event: unknown, outcome: string, cpuTime: number) => ({
      event,
      outcome,
      cpuTime,
      wallTime: 20,
    })
    const runs = [
      run({ request: {} }, 'ok', 3),
      run({ request: {} }, 'exceededCpu', 50),
      run({ queue: 'q' }, 'ok', 1),
      run(null, 'ok', 1),
    ]
    await tail.tail(runs as never, { METRICS } as never)
    expect(taken[0]?.counters).toEqual({
      'invocations{kind="fetch",outcome="ok"}': 1,
      'invocations{kind="fetch",outcome="exceededCpu"}': 1,
      'invocations{kind="queue",outcome="ok"}': 1,
      'invocations{kind="other",outcome="ok"}': 1,
    })
    expect(taken[0]?.histograms['cpu_seconds{kind="fetch"}']?.sum).toBe(53)
  })
})

describe('measures', () => {
  it('add up, in whatever order', () => {
    const part = (n: number, bucket: number) => ({
      counters: { a: n },
      histograms: { h: { buckets: [[bucket, n]] as [number, number][], sum: n } },
    })
    const [one, other] = [nothing(), nothing()]
    for (const [n, bucket] of [
      [1, 5],
      [2, 3],
      [3, 5],
    ] as const)
      addMeasures(one, part(n, bucket))
    for (const [n, bucket] of [
      [3, 5],
      [1, 5],
      [2, 3],
    ] as const)
      addMeasures(other, part(n, bucket))
    expect(one).toEqual(other)
    expect(one).toEqual({
      counters: { a: 6 },
      histograms: {
        h: {
          buckets: [
            [3, 2],
            [5, 4],
          ],
          sum: 6,
        },
      },
    })
  })

  it('keep the shapes that cost most', () => {
    const shape = (name: string, rowsRead: number): ShapeDelta => ({
      ...about,
      ...cost,
      shape: name,
      rowsRead,
      calls: 1,
    })
    const kept = addShapes([shape('a', 5), shape('b', 100)], [shape('a', 200), shape('c', 1)], 2)
    expect(kept.map(({ shape: name, rowsRead, calls }) => [name, rowsRead, calls])).toEqual([
      ['a', 205, 2],
      ['b', 100, 1],
    ])
  })

  it('are written as Prometheus and OpenMetrics read them', () => {
    const meter = new Meter(() => [])
    meter.count('requests', { area: 'rest', route: 'a"b\\c' }, 3)
    for (const ms of [0.5, 3, 3, 70_000]) meter.time('request_seconds', { area: 'rest' }, ms)
    const measures = nothing()
    addMeasures(measures, meter.take() as Delta)
    const gauge = { name: 'up', help: 'Up.', values: [{ labels: { database: 'DB' }, value: 1 }] }
    const text = writeMetrics(measures, [gauge], false)
    expect(text).toContain('# TYPE atoll_requests_total counter\n')
    expect(text).toContain('atoll_requests_total{area="rest",route="a\\"b\\\\c"} 3\n')
    for (const line of ['le="0.001"} 1', 'le="0.002"} 1', 'le="0.004"} 3', 'le="65.536"} 3', 'le="+Inf"} 4'])
      expect(text).toContain(`atoll_request_seconds_bucket{area="rest",${line}\n`)
    expect(text).toContain('atoll_request_seconds_count{area="rest"} 4\n')
    expect(text).toContain('atoll_up{database="DB"} 1\n')
    const open = writeMetrics(measures, [gauge], true)
    expect(open).toContain('# TYPE atoll_requests counter\n')
    expect(open).toContain('# UNIT atoll_request_seconds seconds\n')
    expect(open.endsWith('# EOF\n')).toBe(true)
  })
})

describe('traces', () => {
  const valid = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const open = (headers: Record<string, string>) => openTrace(new Headers(headers))

  it('go on where the caller’s ended', () => {
    const trace = open({ traceparent: valid, tracestate: 'a=1', 'x-request-id': 'order-12345' })
    expect(trace).toMatchObject({
      traceId: valid.slice(3, 35),
      parentId: valid.slice(36, 52),
      isSampled: true,
      requestId: 'order-12345',
    })
    const headers = new Headers()
    writeTrace(headers, trace)
    expect(headers.get('traceparent')).toBe(`00-${trace.traceId}-${trace.spanId}-01`)
    expect([headers.get('tracestate'), headers.get('x-request-id')]).toEqual(['a=1', 'order-12345'])
    expect(open({ traceparent: valid.replace(/01$/, '00') }).isSampled).toBe(false)
  })

  it.each([
    'ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    '00-00000000000000000000000000000000-b7ad6b7169203331-01',
    '00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01',
    '00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01',
    '00-short-b7ad6b7169203331-01',
    '',
  ])('begin anew after %j', (traceparent) => {
    const trace = open({ traceparent, tracestate: 'a=1', 'x-request-id': 'has spaces <x>' })
    expect(trace.parentId).toBeNull()
    expect(trace.state).toBeNull()
    expect(trace.requestId).toBe(trace.traceId)
    expect(trace.traceId).toMatch(/^[0-9a-f]{32}$/)
  })
})

describe('service levels', () => {
  const now = 1_000_000
  const minutes = (bad: (minute: number) => number) =>
    Array.from({ length: 360 }, (_, i) => {
      const share = bad(359 - i)
      return {
        at: now - (360 - i) * 60,
        measures: {
          counters: {
            [seriesOf('requests', { area: 'rest', route: 'x', status: '200' })]: 1000 * (1 - share),
            [seriesOf('requests', { area: 'rest', route: 'x', status: '500' })]: 1000 * share,
            [seriesOf('requests', { area: 'storage', route: 'x', status: '500' })]: 1000,
          },
          histograms: {},
        },
      }
    })
  const objective = { name: 'reads', area: 'rest', target: 0.999 }
  const burning = (bad: (minutesAgo: number) => number) => stateOf(objective, minutes(bad), now).isBurning

  it('burn when both windows do: fast for an hour, or slowly for six', () => {
    expect(burning(() => 0)).toBe(false)
    expect(burning(() => 0.001)).toBe(false)
    expect(burning((ago) => (ago < 60 ? 0.02 : 0))).toBe(true)
    expect(burning(() => 0.007)).toBe(true)
  })

  it('do not burn for a short peak, nor for one that is over', () => {
    expect(burning((ago) => (ago < 2 ? 0.2 : 0))).toBe(false)
    expect(burning((ago) => (ago > 40 && ago < 60 ? 0.5 : 0))).toBe(false)
  })

  it('count what is slow, where that is what is promised', () => {
    const slow = { ...objective, withinMs: 100, route: 'x' }
    const meter = new Meter(() => [])
    for (let i = 0; i < 90; i++) meter.time('request_seconds', { area: 'rest', route: 'x' }, 10)
    for (let i = 0; i < 10; i++) meter.time('request_seconds', { area: 'rest', route: 'x' }, 500)
    const measures = nothing()
    addMeasures(measures, meter.take() as Delta)
    const state = stateOf(slow, [{ at: now - 60, measures }], now)
    expect(state).toMatchObject({ requests: 100, bad: 10, isBurning: true })
    expect(state.burnRate).toBeCloseTo(100)
  })
})

describe('index advice', () => {
  it('reads the columns of a statement that an index may serve', () => {
    expect(
      tablesRead(
        `SELECT json_object('id',_t0."id",'albums',json((SELECT json_object('t',_t1."title") FROM "albums" AS _t1 WHERE (_t0."album_id" = _t1."id") AND (_t1."title" GLOB ?1) LIMIT 1))) AS r, CASE WHEN typeof(_t0."name") = 'integer' AND (_t0."name" > 9007199254740991) THEN 1 END AS b0 FROM "tracks" AS _t0 WHERE (_t0."milliseconds" > ?2) AND (_t0."genre_id" IN (SELECT value FROM json_each(?3))) ORDER BY _t0."name" DESC, _t0."id" LIMIT 10`,
      ),
    ).toEqual([
      {
        table: 'tracks',
        equal: ['album_id', 'genre_id'],
        range: ['milliseconds'],
        order: [
          { column: 'name', descending: true },
          { column: 'id', descending: false },
        ],
      },
      { table: 'albums', equal: ['id'], range: ['title'], order: [] },
    ])
    expect(tablesRead('UPDATE "customers" SET "fax" = ?1 WHERE ("customers"."city" = ?2)')).toEqual([
      { table: 'customers', equal: ['city'], range: [], order: [] },
    ])
  })

  it('tries equal columns before the order, and pairs for what is one or the other', () => {
    const [table] = tablesRead(
      `SELECT 1 FROM "t" AS _t0 WHERE (_t0."a" = ?1) OR (_t0."b" = ?2) ORDER BY _t0."c" DESC LIMIT 5`,
    )
    const sets = candidateSets(table ? [table] : []).map((set) => set.map(nameOf).join('+'))
    for (const name of [
      't_a_idx',
      't_b_idx',
      't_c_desc_idx',
      't_a_c_desc_idx',
      't_a_b_c_desc_idx',
      't_a_idx+t_b_idx',
    ])
      expect(sets).toContain(name)
  })

  it('knows that an index serves what a shorter one does', () => {
    const index = (...columns: string[]) => ({
      table: 't',
      columns: columns.map((column) => ({ column, descending: false })),
    })
    expect(covers(index('a', 'b'), index('a'))).toBe(true)
    expect(covers(index('a', 'b'), index('b'))).toBe(false)
    expect(sqlOf(index('a"b'))).toBe('CREATE INDEX "t_a""b_idx" ON "t" ("a""b")')
  })
})

describe('spans', () => {
  it('that wait are bounded in bytes, whatever paths they name', async () => {
    const sent: string[] = []
    vi.stubGlobal('fetch', async (_: string, { body }: { body: string }) => {
      sent.push(body)
      return new Response(null)
    })
    try {
      const spans = new Spans({ endpoint: 'http://collector.test', headers: {} })
      const trace = openTrace(new Headers())
      const path = `/rest/v1/${'x'.repeat(16_000)}`
      for (let i = 0; i < 3000; i++) spans.request(trace, 'GET rest', 0, 1, { 'url.path': path }, false)
      const work: Promise<unknown>[] = []
      spans.send({ waitUntil: (one) => void work.push(one) })
      await Promise.all(work)
      expect(sent).toHaveLength(1)
      expect(sent[0]?.length).toBeLessThan(1_000_000)
      expect(sent[0]?.length).toBeGreaterThan(300_000)
      // What comes then has room again.
      spans.request(trace, 'GET rest', 0, 1, { 'url.path': '/short' }, false)
      spans.send({ waitUntil: (one) => void work.push(one) })
      await Promise.all(work)
      expect(sent[1]).toContain('/short')
    } finally {
      vi.unstubAllGlobals()
    }
  })
})
