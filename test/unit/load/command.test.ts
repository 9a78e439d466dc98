import { describe, expect, it } from 'vitest'
import scenarios from '../../app/load/index.ts'
import { arrivalsOf } from '../../load/tool/command.ts'
import { checkTarget, isLoopback } from '../../load/tool/local-target.ts'
import { judge } from '../../load/tool/objectives.ts'
import { Recorder } from '../../load/tool/recorder.ts'
import { bytesText, table } from '../../load/tool/report.ts'
import { checkScenario, defineScenario, type Scenario } from '../../load/tool/scenario.ts'
import { parseCounters, usedBetween } from '../../load/tool/server-use.ts'

describe('a target', () => {
  it.each([
    'http://localhost:8787',
    'http://127.0.0.1',
    'http://127.8.9.10:99',
    'http://[::1]:80',
    'http://2130706433',
  ])('may be this machine: %s', (address) => {
    expect(checkTarget(address, false).protocol).toBe('http:')
  })

  it.each([
    'http://example.com',
    'https://atoll.example.workers.dev',
    'http://localhost.example.com',
    'http://127.0.0.1.example.com',
    'http://localhost@example.com',
    'http://10.0.0.1',
    'http://192.168.1.1:8787',
    'http://0.0.0.0:8787',
    'http://[::ffff:8.8.8.8]',
    'http://[::]',
    'http://128.0.0.1',
  ])('is refused unless its owner says so: %s', (address) => {
    expect(() => checkTarget(address, false)).toThrow('--i-own-this-target')
    expect(isLoopback(checkTarget(address, true))).toBe(false)
  })

  it.each(['nonsense', 'ftp://localhost', 'file:///etc/passwd', 'http://localhost:8787/rest/v1'])(
    'is an address, or refused whoever says so: %s',
    (address) => {
      expect(() => checkTarget(address, true)).toThrow(address)
    },
  )
})

const one: Scenario = defineScenario({
  about: 'one step',
  arrivals: { model: 'open', rate: 10, ramp: [{ seconds: 1, to: 1 }] },
  journeys: [{ steps: [{ name: 'a', ask: () => ({ path: '/' }) }] }],
})

describe('a scenario', () => {
  it.each([
    ['it has no journeys', { ...one, journeys: [] }],
    ['a journey has no steps', { ...one, journeys: [{ steps: [] }] }],
    ['two steps have the same name', { ...one, journeys: [...one.journeys, ...one.journeys] }],
    ['no journey has a weight', { ...one, journeys: [{ ...one.journeys[0], weight: 0 }] }],
    ['weights are numbers', { ...one, journeys: [{ ...one.journeys[0], weight: -1 }] }],
    ['no number above 0', { ...one, arrivals: { model: 'open', rate: 0 } }],
    ['no number above 0', { ...one, arrivals: { model: 'closed', users: Number.NaN } }],
    [
      'a ramp has seconds',
      { ...one, arrivals: { model: 'closed', users: 1, ramp: [{ seconds: 0, to: 1 }] } },
    ],
    ['none of its steps: a', { ...one, objectives: [{ step: 'b', p99Ms: 1 }] }],
  ] as [string, Scenario][])('is refused when %s', (what, scenario) => {
    expect(() => checkScenario('x', scenario)).toThrow(what)
  })

  it('of the app can be run', () => {
    for (const [name, scenario] of Object.entries(scenarios)) checkScenario(name, scenario)
  })

  it('takes its arrivals from the command line, and keeps its ramp', () => {
    const { arrivals } = one
    expect(arrivalsOf(arrivals, undefined, undefined)).toBe(arrivals)
    expect(arrivalsOf(arrivals, '30', undefined)).toEqual({ ...arrivals, rate: 30 })
    expect(arrivalsOf(arrivals, undefined, '4')).toEqual({
      model: 'closed',
      users: 4,
      ramp: [{ seconds: 1, to: 1 }],
    })
    expect(() => arrivalsOf(arrivals, '3', '4')).toThrow('exclude')
    for (const bad of ['0', '-1', 'many', '1e9'])
      expect(() => arrivalsOf(arrivals, bad, undefined)).toThrow('--rate')
  })
})

describe('what the server says', () => {
  const before = parseCounters(`# TYPE atoll_requests_total counter
atoll_requests_total{area="rest",route="albums",method="GET",status="200"} 10
atoll_requests_total{area="metrics",route="",method="GET",status="200"} 3
atoll_database_calls_total{database="DB",outcome="done"} 5
atoll_cache_reads_total{from="database"} 4
atoll_request_seconds_bucket{area="rest",le="0.001"} 9
`)
  const after = parseCounters(`atoll_requests_total{area="rest",route="albums",method="GET",status="200"} 90
atoll_requests_total{area="rest",route="tracks",method="GET",status="404"} 20
atoll_requests_total{area="metrics",route="",method="GET",status="200"} 9
atoll_database_calls_total{database="DB",outcome="done"} 25
atoll_database_calls_total{database="SHARD_1",outcome="done"} 10
atoll_database_rows_read_total{database="DB"} 500
atoll_cache_reads_total{from="database"} 29
atoll_cache_reads_total{from="first-level"} 75
`)

  it('is counted between the two times, but for the questions after it', () => {
    expect(usedBetween(before, after)).toEqual({
      requests: 100,
      databaseCalls: 30,
      rowsRead: 500,
      rowsWritten: 0,
      reads: { database: 25, 'first-level': 75 },
      cacheHits: 0.75,
      jobs: 0,
    })
  })

  it('holds no hits when nothing was read', () => {
    expect(usedBetween(after, after).cacheHits).toBeNull()
  })
})

describe('objectives', () => {
  const recorder = new Recorder()
  for (let i = 1; i <= 1000; i++) recorder.add(i / 10, i / 10, 0, false, i % 100 === 0 ? 'status 500' : null)
  const all = recorder.measured()
  const result = {
    elapsedSeconds: 10,
    all,
    steps: { a: all },
    seconds: [],
    lag: { p99: 0, max: 0 },
    stopped: null,
  }
  const server = {
    requests: 1000,
    databaseCalls: 500,
    rowsRead: 2000,
    rowsWritten: 0,
    reads: {},
    cacheHits: 0.5,
    jobs: 0,
  }
  const report = { result, cpuMsPerRequest: 2, server } as unknown as Parameters<typeof judge>[1]

  it('hold or are missed, each by itself', () => {
    const judged = judge(
      [
        {
          p50Ms: 60,
          p99Ms: 50,
          failures: 0.01,
          throughput: 100,
          cpuMs: 2,
          cacheHits: 0.5,
          databaseCalls: 0.4,
        },
        { step: 'a', p90Ms: 100, p999Ms: 1, rowsRead: 2 },
      ],
      report,
    )
    expect(judged.map(({ what, holds }) => [what, holds])).toEqual([
      ['p50', true],
      ['p99', false],
      ['share of failures', true],
      ['right answers a second', false],
      ['CPU per request', true],
      ['share of cache hits', true],
      ['database calls per request', false],
      ['p90 of a', true],
      ['p99.9 of a', false],
      ['rows read per request of a', true],
    ])
  })

  it('do not hold when nobody could measure them', () => {
    const blind = { ...report, cpuMsPerRequest: null, server: null }
    const judged = judge([{ cpuMs: 2, cacheHits: 0.1 }], blind)
    expect(judged.map(({ found, holds }) => [found, holds])).toEqual([
      ['not measured', null],
      ['not measured', null],
    ])
  })
})

describe('a report', () => {
  it('writes amounts for readers', () => {
    expect([0, 999, 12_345, 5_000_000, 7e12].map(bytesText)).toEqual([
      '0 B',
      '999 B',
      '12.3 kB',
      '5 MB',
      '7000 GB',
    ])
    expect(table(['a', 'b'], [['x|y', '1']])).toEqual(['| a    |   b |', '| ---- | --: |', '| x\\|y |   1 |'])
  })
})
