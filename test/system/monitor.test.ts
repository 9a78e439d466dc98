import { execFile, spawnSync } from 'node:child_process'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from '../../functions/local/serve.ts'
import type { Measures } from '../../functions/meter/merge.ts'
import type { MetricsAccess } from '../../functions/meter/metrics-access.ts'
import type { ShownAdvice } from '../../functions/monitor/shown.ts'
import { publishableKey, secretKey, startTestServer, type TestServer } from '../support/local-server.ts'
import { type ScriptedOrigin, startOrigin } from '../support/scripted-origin.ts'
import { findToolNamed } from '../support/system-tools.ts'

let server: TestServer
let origins: readonly ScriptedOrigin[]
let collector: Server
const collected: { headers: IncomingHttpHeaders; body: CollectedSpans }[] = []

interface CollectedSpans {
  readonly resourceSpans: readonly {
    readonly scopeSpans: readonly {
      readonly spans: readonly {
        traceId: string
        spanId: string
        parentSpanId: string
        name: string
        kind: number
      }[]
    }[]
  }[]
}

beforeAll(async () => {
  origins = await Promise.all(['a', 'b'].map(startOrigin))
  collector = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    collected.push({ headers: request.headers, body: JSON.parse(text) as CollectedSpans })
    response.end('{}')
  })
  await new Promise<void>((done) => collector.listen(0, '127.0.0.1', done))
  server = await startTestServer({
    isWhole: true,
    isQuiet: true,
    entry: new URL('../support/dashboard-worker.ts', import.meta.url).pathname,
    variables: {
      ORIGIN_A: origins[0]?.url ?? '',
      ORIGIN_B: origins[1]?.url ?? '',
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}/`,
      OTEL_EXPORTER_OTLP_HEADERS: 'x-team=shop%20one,x-key=1',
    },
  })
}, 60_000)
afterAll(async () => {
  await server?.stop()
  collector?.close()
  for (const origin of origins ?? []) await origin.kill()
})

const ask = (path: string, init: RequestInit = {}) =>
  fetch(server.address + path, {
    ...init,
    headers: { apikey: secretKey, 'Cache-Control': 'no-cache', ...init.headers },
  })
const api = async <T>(path: string) => (await (await ask(`/_atoll/api${path}`)).json()) as T
const store = async () => {
  const namespace = await server.miniflare.getDurableObjectNamespace('METRICS', 'atoll')
  return namespace.get(namespace.idFromName('metrics')) as unknown as MetricsAccess
}
const sumOf = ({ counters }: Measures, start: string) =>
  Object.entries(counters).reduce((sum, [series, n]) => (series.startsWith(start) ? sum + n : sum), 0)

describe('what is counted', () => {
  it('is what a load generator has counted, exactly', async () => {
    const before = await (await store()).totals()
    const plan = [
      ['/rest/v1/tracks?id=eq.1', 200, 57],
      ['/rest/v1/tracks?nothing=eq.1', 400, 13],
      ['/rest/v1/genres?limit=1', 200, 31],
      ['/shop/x', 200, 23],
      ['/storage/v1/object/covers/none.png', 404, 7],
      ['/rest/v1/never-heard-of', 404, 5],
    ] as const
    const all = plan.flatMap(([path, , n]) => Array.from({ length: n }, () => path))
    await Promise.all(
      Array.from({ length: 8 }, async (_, lane) => {
        for (let i = lane; i < all.length; i += 8) await (await ask(all[i] as string)).text()
      }),
    )
    const counted = async () => {
      const after = await (await store()).totals()
      const gained = (start: string) => sumOf(after, start) - sumOf(before, start)
      return {
        tracks: gained('requests{area="rest",route="tracks",method="GET",status="200"'),
        refused: gained('requests{area="rest",route="tracks",method="GET",status="400"'),
        genres: gained('requests{area="rest",route="genres",method="GET",status="200"'),
        shop: gained('requests{area="proxy",route="/shop/*",method="GET",status="200"'),
        origins: gained('origin_requests{pool="shop"'),
        files: gained('requests{area="storage",route="object",method="GET",status="404"'),
        unknown: gained('requests{area="rest",route="unknown",method="GET",status="404"'),
        calls: gained('cache_reads{'),
      }
    }
    await expect.poll(counted, { timeout: 15_000, interval: 500 }).toEqual({
      tracks: 57,
      refused: 13,
      genres: 31,
      shop: 23,
      origins: 23,
      files: 7,
      unknown: 5,
      calls: 88,
    })
    const totals = await (await store()).totals()
    const timed = totals.histograms['request_seconds{area="proxy",route="/shop/*"}']
    expect(timed?.buckets.reduce((sum, [, n]) => sum + n, 0)).toBe(23)
  })

  it('counts once however often it is handed over, and is kept in points that add up to the totals', async () => {
    const metrics = await store()
    const delta = {
      isolate: 'a-test',
      sequence: 3,
      counters: { 'jobs{name="handed",outcome="done"}': 5 },
      histograms: {},
      shapes: [],
      events: [],
    }
    for (let i = 0; i < 3; i++) await metrics.record(delta)
    await metrics.record({ ...delta, sequence: 2 })
    await metrics.record({ ...delta, sequence: 4 })
    expect((await metrics.totals()).counters['jobs{name="handed",outcome="done"}']).toBe(10)
    const points = await metrics.points(10, 0)
    expect(points.reduce((sum, { measures }) => sum + sumOf(measures, 'jobs{name="handed"'), 0)).toBe(10)
  })

  it('is text that Prometheus’ own tool finds nothing wrong with', async () => {
    const answer = await ask('/metrics')
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    const text = await answer.text()
    expect(text).toContain('atoll_requests_total{area="rest",route="tracks",method="GET",status="200"} 57')
    expect(text).toContain('atoll_origin_weight{pool="shop",origin="a"} 1')
    const promtool = findToolNamed('promtool')
    if (promtool !== null) {
      const { status, stdout, stderr } = spawnSync(promtool, ['check', 'metrics'], {
        input: text,
        encoding: 'utf8',
      })
      expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' })
    }
    const open = await ask('/metrics', { headers: { Accept: 'application/openmetrics-text' } })
    expect((await open.text()).endsWith('# EOF\n')).toBe(true)
    expect((await fetch(`${server.address}/metrics`)).status).toBe(401)
  })
})

describe('a request', () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

  it('has an id and a trace, in answers and at origins', async () => {
    const answer = await ask('/shop/echo', {
      headers: { traceparent, tracestate: 'a=1', 'X-Request-Id': 'order-12345' },
    })
    const { headers } = (await answer.json()) as { headers: Record<string, string> }
    expect(answer.headers.get('x-request-id')).toBe('order-12345')
    expect(headers['x-request-id']).toBe('order-12345')
    expect(headers.traceparent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/)
    expect(headers.traceparent).not.toBe(traceparent)
    expect(headers.tracestate).toBe('a=1')
    expect((await ask('/rest/v1/genres?limit=1')).headers.get('x-request-id')).toMatch(/^[0-9a-f]{32}$/)
  })

  it('says what took its time to operators who ask, and to nobody else', async () => {
    const asked = { 'Atoll-Server-Timing': '1' }
    const timing = async (path: string, headers: Record<string, string>) =>
      (await fetch(server.address + path, { headers })).headers.get('server-timing')
    const operator = { ...asked, apikey: secretKey }
    expect(await timing('/rest/v1/genres?limit=1', operator)).toMatch(/parse;dur=.*transaction;dur=/)
    expect(await timing('/shop/x', operator)).toMatch(/^origin;desc="[ab]";dur=/)
    for (const path of ['/rest/v1/genres?limit=1', '/shop/x']) {
      expect(await timing(path, { ...asked, apikey: publishableKey })).toBeNull()
      expect(await timing(path, { apikey: secretKey })).toBeNull()
    }
  })

  it('is sent to a collector as spans, with its calls to databases', async () => {
    const id = '11111111111111111111111111111111'
    await (
      await ask('/rest/v1/tracks?id=eq.2', { headers: { traceparent: `00-${id}-b7ad6b7169203331-01` } })
    ).text()
    await (
      await ask('/rest/v1/tracks?id=eq.2', {
        headers: { traceparent: `00-${id.replaceAll('1', '2')}-b7ad6b7169203331-00` },
      })
    ).text()
    const spans = () =>
      collected.flatMap(({ body }) =>
        body.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)),
      )
    const own = () => spans().filter(({ traceId }) => traceId === id)
    await expect.poll(() => own().length, { timeout: 10_000 }).toBe(6)
    const request = own().find(({ kind }) => kind === 2)
    const call = own().find(({ kind }) => kind === 3)
    expect(own().flatMap(({ kind, name }) => (kind === 1 ? [name] : []))).toEqual([
      'parse',
      'plan',
      'transaction',
      'response',
    ])
    expect(request).toMatchObject({ name: 'GET rest tracks', kind: 2, parentSpanId: 'b7ad6b7169203331' })
    expect(call).toMatchObject({ name: 'D1 DB', kind: 3, parentSpanId: request?.spanId })
    expect(spans().some(({ traceId }) => traceId.startsWith('2222'))).toBe(false)
    expect(collected[0]?.headers).toMatchObject({ 'x-team': 'shop one', 'x-key': '1' })
  })
})

describe('index advice', () => {
  const planted = [
    ['tracks?composer=eq.Nobody', 'tracks_composer_idx'],
    ['tracks?genre_id=eq.1&order=milliseconds.desc&limit=5', 'tracks_genre_id_milliseconds_desc_idx'],
    ['albums?title=eq.Nothing', 'albums_title_idx'],
    ['invoice_items?quantity=eq.99', 'invoice_items_quantity_idx'],
  ] as const
  const wellServed = [
    'tracks?id=eq.7',
    'tracks?album_id=eq.7',
    'albums?artist_id=eq.3&select=title,tracks(name)',
    'customers?id=eq.7&select=*,invoices(*)',
    'genres?name=eq.Rock',
    'customers?country=eq.Brazil',
    'tracks?limit=50',
    'tracks?order=id.desc&limit=20',
    // Half of all rows: reading them by an index would cost more.
    'tracks?media_type_id=gt.0',
  ]
  const advised = async () => {
    const { indexes } = await api<ShownAdvice>('/advice?days=1')
    return indexes.map(({ name }) => name).sort()
  }

  it('finds every index that was left out, and proposes nothing silly', async () => {
    for (let i = 0; i < 3; i++) {
      for (const [path] of planted) expect((await ask(`/rest/v1/${path}`)).status).toBe(200)
      for (const path of wellServed) expect((await ask(`/rest/v1/${path}`)).status).toBe(200)
    }
    await expect
      .poll(advised, { timeout: 30_000, interval: 1000 })
      .toEqual(planted.map(([, name]) => name).sort())
  }, 60_000)

  it('is told by a command as well', async () => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [join(root, 'functions', 'local', 'advise.ts'), '--url', server.address, '--days', '1'],
      { env: { ...process.env, ATOLL_SECRET_KEY: secretKey } },
    )
    for (const [, name] of planted) expect(stdout).toContain(name)
    expect(stdout).toContain(
      "index('tracks_genre_id_milliseconds_desc_idx').on(table.genreId, desc(table.milliseconds))",
    )
  })

  it('is silent once the indexes are there', async () => {
    const { indexes } = await api<ShownAdvice>('/advice?days=1')
    for (const database of (await server.databases()).values())
      await database.batch(indexes.map(({ sql }) => database.prepare(sql)))
    expect(await advised()).toEqual([])
  })
})
