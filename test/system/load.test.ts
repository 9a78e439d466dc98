import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from '../../functions/local/serve.ts'
import { compareRuns } from '../load/tool/compare-runs.ts'
import { cpuOfAll, serversOf } from '../load/tool/local-target.ts'
import type { LoadReport } from '../load/tool/report.ts'
import { type LoadSettings, runLoad } from '../load/tool/run-load.ts'
import type { Arrivals, Scenario } from '../load/tool/scenario.ts'
import { type PlantedServer, startPlanted } from '../support/planted-server.ts'

function scenarioOf(arrivals: Arrivals): Scenario {
  return {
    about: 'one question',
    key: 'none',
    arrivals,
    journeys: [
      {
        steps: [
          {
            name: 'question',
            ask: (draw) => ({ path: `/${draw.next()}` }),
            check: (answer) => (Array.isArray(answer.json()) ? undefined : 'no list'),
          },
        ],
      },
    ],
  }
}

function settingsOf(arrivals: Arrivals, durationSeconds: number): LoadSettings {
  return {
    arrivals,
    durationSeconds,
    warmUpSeconds: 0,
    seed: 1,
    maxRequests: 1_000_000,
    maxOutstanding: 2000,
    timeoutMs: 20_000,
  }
}

async function ask(
  server: PlantedServer,
  arrivals: Arrivals,
  seconds: number,
  more: Partial<LoadSettings> = {},
) {
  return runLoad(
    scenarioOf(arrivals),
    { url: server.url, keys: {} },
    { ...settingsOf(arrivals, seconds), ...more },
  )
}

async function withServer<T>(
  planted: Parameters<typeof startPlanted>[0],
  work: (server: PlantedServer) => Promise<T>,
) {
  const server = await startPlanted(planted)
  try {
    return await work(server)
  } finally {
    await server.stop()
  }
}

describe('a server that stalls once', () => {
  const stall = { atMs: 500, forMs: 500 }

  it('is asked on, and everything that was due meanwhile counts as late', async () => {
    const { all, seconds } = await withServer({ stall }, (server) =>
      ask(server, { model: 'open', rate: 300 }, 3),
    )
    // Half a second of three: a sixth of all waited, half of that time on average.
    expect(all.failed).toBe(0)
    expect(all.latency.p50).toBeLessThan(100)
    expect(all.latency.p99).toBeGreaterThan(380)
    expect(all.latency.p999).toBeGreaterThan(450)
    expect(all.latency.max).toBeLessThan(1500)
    expect(all.requests).toBeGreaterThan(600)
    expect(seconds.reduce((sum, { requests }) => sum + requests, 0)).toBe(all.requests)
  })

  it('cannot hide it from users who wait: what they did not ask is added', async () => {
    const { all } = await withServer({ stall }, (server) => ask(server, { model: 'closed', users: 2 }, 4))
    expect(all.requests).toBeGreaterThan(2500)
    // Two requests in thousands: as they were sent, the 99.9th of a hundred knows nothing of it.
    expect(all.service.p999).toBeLessThan(300)
    expect(all.service.max).toBeGreaterThan(450)
    expect(all.latency.p999).toBeGreaterThan(400)
    expect(all.latency.p99).toBeGreaterThan(300)
    expect(all.latency.p50).toBeLessThan(100)
  })
})

describe('a run', () => {
  it('ends at its bound of requests, and counts failures by kind', async () => {
    const result = await withServer({ failEvery: 10 }, (server) =>
      ask(server, { model: 'closed', users: 3 }, 60, { maxRequests: 500 }),
    )
    expect(result.stopped).toBe('request limit')
    expect(result.all.requests).toBeGreaterThanOrEqual(500)
    expect(result.all.requests).toBeLessThan(510)
    expect(result.all.errors).toEqual({ 'status 500': Math.floor(result.all.requests / 10) })
  })

  it('ends when it is interrupted, with what it has', async () => {
    const interrupted = new AbortController()
    setTimeout(() => interrupted.abort(), 500)
    const result = await withServer({}, (server) =>
      ask(server, { model: 'open', rate: 100 }, 60, { signal: interrupted.signal }),
    )
    expect(result.stopped).toBe('interrupted')
    expect(result.elapsedSeconds).toBeLessThan(5)
    // How many that is, is the machine's: on a busy one, half a second may be over when the first are sent.
    expect(result.all.requests).toBeGreaterThan(0)
  })

  it('says that nobody listens, and that a body is not what it should be', async () => {
    const server = await startPlanted({})
    await server.stop()
    const { all } = await ask(server, { model: 'closed', users: 1 }, 1, { maxRequests: 20 })
    expect(all.errors).toEqual({ 'connection refused': 20 })
    const wrong: Scenario = scenarioOf({ model: 'closed', users: 1 })
    const step = {
      ...wrong.journeys[0]?.steps[0],
      name: 'x',
      ask: () => ({ path: '/' }),
      check: () => 'too short',
    }
    const { all: checked } = await withServer({}, ({ url }) =>
      runLoad(
        { ...wrong, journeys: [{ steps: [step] }] },
        { url, keys: {} },
        { ...settingsOf(wrong.arrivals, 1), maxRequests: 5 },
      ),
    )
    expect(checked.errors).toEqual({ 'wrong answer: too short': 5 })
  })

  it('does not send more than it may have under way, and says so', async () => {
    const { all } = await withServer({ stall: { atMs: 0, forMs: 1000 } }, (server) =>
      ask(server, { model: 'open', rate: 200, spacing: 'even' }, 0.5, { maxOutstanding: 10 }),
    )
    expect(all.errors['not sent: too many under way']).toBe(all.requests - 10)
  })
})

describe('two servers in turn', () => {
  const arrivals = { model: 'closed', users: 8 } as const
  let base: PlantedServer
  beforeAll(async () => {
    base = await startPlanted({ waitMs: 20, work: 20 })
  })
  afterAll(() => base.stop())

  const compared = async (other: PlantedServer) => {
    const comparison = await compareRuns(
      scenarioOf(arrivals),
      { url: other.url, keys: {} },
      { url: base.url, keys: {} },
      { ...settingsOf(arrivals, 0.4), rounds: 8 },
    )
    return { comparison, p50: comparison.metrics.find(({ metric }) => metric === 'p50') }
  }

  it('are not told apart when they are equal', async () => {
    const { comparison, p50 } = await withServer({ waitMs: 20, work: 20 }, compared)
    expect(p50?.verdict).toBe('same')
    expect(comparison.failed).toEqual([0, 0])
  })

  // By so much that a busy machine does not hide it.
  it('are told apart when one takes half as long again', async () => {
    const { comparison, p50 } = await withServer({ waitMs: 30, work: 20 }, compared)
    expect(p50?.verdict).toBe('more')
    expect(p50?.ratio.ratio).toBeGreaterThan(1.1)
    expect(p50?.ratio.ratio).toBeLessThan(2)
    expect(comparison.isWorse).toBe(true)
  })

  it('are measured by the processes that listen', async () => {
    const pids = serversOf(base.url)
    const before = cpuOfAll(pids) ?? 0
    await ask(base, { model: 'closed', users: 8 }, 0.5)
    expect(pids).toHaveLength(1)
    expect(cpuOfAll(pids)).toBeGreaterThan(before)
    expect(serversOf(new URL('http://127.0.0.1:1'))).toEqual([])
    expect(cpuOfAll([])).toBeNull()
  })
})

describe('the command', () => {
  let out: string
  beforeAll(() => {
    out = mkdtempSync(join(tmpdir(), 'atoll-load-test-'))
  })
  afterAll(() => rmSync(out, { recursive: true, force: true }))

  const load = (...args: string[]) =>
    new Promise<{ status: number; said: string }>((done) => {
      execFile(
        process.execPath,
        [join(root, 'test', 'load', 'load.ts'), ...args],
        { cwd: root, timeout: 100_000 },
        (error, stdout, stderr) => done({ status: error ? Number(error.code) : 0, said: stdout + stderr }),
      )
    })

  it('refuses what is not this machine, and what it does not understand', async () => {
    const [foreign, unknown, both] = await Promise.all([
      load('--url', 'http://example.com'),
      load('no-such-scenario'),
      load('--rate', '5', '--users', '5', '--url', 'http://localhost:1'),
    ])
    expect(foreign).toMatchObject({ status: 2, said: expect.stringContaining('--i-own-this-target') })
    expect(unknown).toMatchObject({ status: 2, said: expect.stringContaining('shop') })
    expect(both).toMatchObject({ status: 2, said: expect.stringContaining('exclude each other') })
  })

  it('fails when an objective is missed', async () => {
    await withServer({ failEvery: 3 }, async ({ url }) => {
      const { status, said } = await load(
        'shop',
        '--url',
        url.origin,
        '--duration',
        '1',
        '--warm-up',
        '0',
        '--out',
        out,
      )
      expect(status).toBe(1)
      expect(said).toContain('missed')
    })
  })

  it("measures the app, with the server's own figures, and writes a page of it", {
    timeout: 120_000,
  }, async () => {
    const folder = join(out, 'app')
    const { status, said } = await load(
      'shop',
      '--duration',
      '4',
      '--warm-up',
      '1',
      '--rate',
      '30',
      '--out',
      folder,
    )
    expect(said).toContain('cache hits of reads')
    expect(status).toBe(0)
    const files = readdirSync(folder)
    const read = (extension: string) => {
      const file = files.find((name) => name.endsWith(extension)) as string
      return { file: join(folder, file), text: readFileSync(join(folder, file), 'utf8') }
    }
    const report = JSON.parse(read('.json').text) as LoadReport
    expect(report.server?.requests).toBe(report.result.all.requests)
    expect(report.server?.rowsRead).toBeGreaterThan(0)
    expect(report.server?.cacheHits).toBeGreaterThan(0)
    expect(report.cpuMsPerRequest).toBeGreaterThan(0)
    expect(report.result.all.failed).toBe(0)
    expect(said).toContain(read('.md').text.split('\n')[6])
    expect(read('.html').text).toContain('album with its tracks')
  })
})
