import { describe, expect, it } from 'vitest'
import type { AtollError } from '../../../db/errors/atoll-error.ts'
import { checkOrigins } from '../../../functions/balancer/check-origins.ts'
import type { RouteDeclaration } from '../../../functions/balancer/declarations.ts'
import { isLoop, requestHeaders } from '../../../functions/balancer/forward-headers.ts'
import { placeOf } from '../../../functions/balancer/response-places.ts'
import { addressAt, createRouteTable, publicLocation } from '../../../functions/balancer/routes.ts'

const route = (path: string, rest: Partial<RouteDeclaration> = {}): RouteDeclaration => ({
  path,
  pool: 'p',
  ...rest,
})
const url = (path: string) => new URL(path, 'http://front.test')

describe('routes', () => {
  const routes = [
    route('/*'),
    route('/shop/*'),
    route('/shop/cart'),
    route('/shop/*', { hosts: ['eu.front.test'] }),
    route('/post', { methods: ['POST'] }),
  ]
  const table = createRouteTable(routes)
  const find = (path: string, method = 'GET') => {
    const found = table.find(url(path), method)
    return found && `${found.path}${found.hosts ? ` ${found.hosts}` : ''}`
  }

  it.each([
    ['/', '/*'],
    ['/shops', '/*'],
    ['/shop', '/shop/*'],
    ['/shop/', '/shop/*'],
    ['/shop/a/b', '/shop/*'],
    ['/shop/cart', '/shop/cart'],
    ['/shop/cart/', '/shop/*'],
    ['/shop/../rest', '/*'],
    ['//eu.front.test/shop/x', '/shop/* eu.front.test'],
    ['/rest/v1', null],
    ['/rest/v1/tracks', null],
    ['/shop/../rest/v1/tracks', null],
    ['/%72est/v1/x', '/*'],
    ['/_atoll', null],
    ['/metrics', null],
    ['/metricsx', '/*'],
    ['/docs/index.html', null],
  ])('%s goes to %s', (path, expected) => {
    expect(find(path)).toBe(expected)
  })

  it('are refused for methods that no route takes', () => {
    const only = createRouteTable([route('/post', { methods: ['POST', 'PUT'] })])
    expect(only.find(url('/post'), 'POST')).not.toBeNull()
    expect(() => only.find(url('/post'), 'GET')).toThrow(
      expect.objectContaining({ status: 405, headers: { Allow: 'POST, PUT' } }),
    )
    expect(find('/post', 'GET')).toBe('/*')
  })
})

describe('addresses', () => {
  const origin = new URL('http://10.0.0.1:81/base/')

  it.each([
    ['/shop/x?a=1#f', {}, 'http://10.0.0.1:81/base/shop/x?a=1'],
    ['/shop/x', { rewrite: '' }, 'http://10.0.0.1:81/base/x'],
    ['/shop', { rewrite: '' }, 'http://10.0.0.1:81/base/'],
    ['/shop/x', { rewrite: '/v2' }, 'http://10.0.0.1:81/base/v2/x'],
    ['/shop//evil.test/x', { rewrite: '' }, 'http://10.0.0.1:81/base/evil.test/x'],
    ['/shop/http://evil.test/', { rewrite: '' }, 'http://10.0.0.1:81/base/http://evil.test/'],
    ['/shop/@evil.test', { rewrite: '' }, 'http://10.0.0.1:81/base/@evil.test'],
    ['/shop/a%20b', {}, 'http://10.0.0.1:81/base/shop/a%20b'],
    ['/shop/%3Fq', {}, 'http://10.0.0.1:81/base/shop/%3Fq'],
    ['/shop/a%2fb', { encodedSlashes: true }, 'http://10.0.0.1:81/base/shop/a%2fb'],
  ])('of %s with %j are %s', (path, rest, expected) => {
    expect(addressAt(origin, route('/shop/*', rest), url(path)).href).toBe(expected)
  })

  it.each([
    '/shop/a%2f..%2fadmin',
    '/shop/..%2Fadmin',
    '/shop/%5c..%5cadmin',
    '/shop/x%00.png',
    '/shop/..;/admin',
    '/shop/%2e%2e;x=1/admin',
  ])('of %s there is none', (path) => {
    expect(() => addressAt(origin, route('/shop/*', { rewrite: '' }), url(path))).toThrow(
      expect.objectContaining({ status: 400 } as Partial<AtollError>),
    )
  })

  it.each([
    ['http://10.0.0.1:81/base/login?next=1', 'http://front.test/shop/login?next=1'],
    ['/base/login', 'http://front.test/shop/login'],
    ['next', 'http://front.test/shop/next'],
    ['/elsewhere', '/elsewhere'],
    ['https://other.test/x', 'https://other.test/x'],
    ['http://10.0.0.1:82/base/x', 'http://10.0.0.1:82/base/x'],
  ])('in Location: %s is %s outside', (location, expected) => {
    const at = new URL('http://10.0.0.1:81/base/here')
    expect(publicLocation(location, origin, route('/shop/*', { rewrite: '' }), url('/shop/here'), at)).toBe(
      expected,
    )
  })
})

describe('headers to an origin', () => {
  const send = (
    sent: Record<string, string>,
    receives: ('authorization' | 'cookie' | 'apikey')[] = [],
    rest = {},
  ) =>
    Object.fromEntries(
      requestHeaders(
        new Headers(sent),
        { address: '2001:db8::1', url: new URL('https://front.test/x'), role: null, subject: null },
        {
          route: route('/x', rest),
          receives,
          ownCookies: ['atoll-p'],
          isKey: (text) => text === 'sb_secret_1',
        },
      ),
    )
  const own = {
    'cdn-loop': 'atoll',
    forwarded: 'for="[2001:db8::1]";host="front.test";proto=https',
    via: '1.1 atoll',
    'x-forwarded-for': '2001:db8::1',
    'x-forwarded-host': 'front.test',
    'x-forwarded-proto': 'https',
  }

  it('are without what is for one connection only, and what such a header names', () => {
    expect(
      send({
        connection: 'close, X-Hop',
        'x-hop': '1',
        te: 'trailers',
        'transfer-encoding': 'chunked',
        'content-length': '5',
        expect: '100-continue',
        'proxy-authorization': 'x',
        upgrade: 'h2c',
        host: 'evil.test',
        'x-stays': '1',
      }),
    ).toEqual({ ...own, 'x-stays': '1' })
  })

  it('say who asks, and nothing that the caller says of it', () => {
    expect(
      send({
        'x-forwarded-for': '6.6.6.6',
        'X-Forwarded-Port': '1',
        forwarded: 'for=6.6.6.6',
        'x-real-ip': '6.6.6.6',
        'true-client-ip': '6.6.6.6',
        'cf-connecting-ip': '6.6.6.6',
        'x-original-url': '/admin',
        'x-rewrite-url': '/admin',
        'atoll-role': 'service_role',
      }),
    ).toEqual(own)
  })

  it('hold credentials only where they are declared to be received, and our own cookies and keys never by accident', () => {
    const sent = {
      authorization: 'Bearer theirs',
      cookie: 'a=1; atoll-p=signed; b=2',
      apikey: 'sb_secret_1',
    }
    expect(send(sent)).toEqual(own)
    expect(send(sent, ['cookie'])).toEqual({ ...own, cookie: 'a=1; b=2' })
    expect(send({ cookie: 'atoll-p=signed' }, ['cookie'])).toEqual(own)
    expect(send(sent, ['authorization'])).toEqual({ ...own, authorization: 'Bearer theirs' })
    expect(send({ authorization: 'Bearer sb_secret_1' }, ['authorization'])).toEqual(own)
    expect(send({ authorization: 'Bearer sb_secret_1' }, ['authorization', 'apikey'])).toHaveProperty(
      'authorization',
    )
    expect(send(sent, ['apikey'])).toEqual({ ...own, apikey: 'sb_secret_1' })
  })

  it('are changed last as the route says', () => {
    const changes = { request: { set: { 'X-Forwarded-Host': 'set.test' }, remove: ['x-secret'] } }
    expect(send({ 'x-secret': '1' }, [], changes)).toEqual({ ...own, 'x-forwarded-host': 'set.test' })
  })

  it('tell a request that has come through here before', () => {
    expect(isLoop(new Headers({ 'cdn-loop': 'cloudflare; loops=1, atoll' }))).toBe(true)
    expect(isLoop(new Headers({ 'cdn-loop': 'cloudflare' }))).toBe(false)
  })
})

describe('declarations', () => {
  it('are refused with all that is wrong with them', () => {
    const declare = () =>
      checkOrigins({
        pools: {
          'Bad name': { origins: {} },
          p: {
            origins: {
              a: 'ftp://x.test',
              b: { url: 'http://user:word@x.test', weight: -1, priority: 0.5 },
              c: 'http://x.test/?q',
            },
            strategy: 'fastest' as never,
            health: { path: 'health', rise: 0 },
            ejection: { maxShare: 2 },
            timeouts: { firstByteMs: 0 },
            panicThreshold: -1,
            retries: 1.5,
            sticky: { cookie: 'a b' },
          },
          h: { origins: { a: 'http://x.test' }, strategy: { hash: 'path', loadBound: 1 } },
        },
        routes: [
          route('shop'),
          route('/a/*/b'),
          route('/rest/v1/x'),
          route('/q', { pool: 'none' }),
          route('/r', { rewrite: 'x/' }),
          route('/h', { hosts: ['EU.test'], methods: ['get'], maxRequestBytes: 0 }),
          route('/twice'),
          route('/twice'),
        ],
      })
    let message = ''
    try {
      declare()
    } catch (error) {
      message = (error as Error).message
    }
    expect(
      message
        .split('\n')
        .slice(1)
        .map((line) => line.trim()),
    ).toEqual([
      'pool Bad name: its name must be small letters, digits and hyphens',
      'pool Bad name: it has no origins',
      'pool p: origin a: "ftp://x.test" is no address of http or https',
      'pool p: origin b: its address holds a password; use headers with { variable }',
      'pool p: origin b: its weight is a number of at least 0',
      'pool p: origin b: its priority is a whole number of at least 0',
      'pool p: origin c: its address has a query or fragment, which nothing is added to',
      'pool p: there is no strategy fastest; use round-robin, least-request, peak-ewma, random or { hash }',
      'pool p: the path of its health check begins with /',
      'pool p: health.rise is a number above 0',
      'pool p: ejection.maxShare is a share from 0 to 1',
      'pool p: timeouts.firstByteMs is a number above 0',
      'pool p: panicThreshold is a share from 0 to 1',
      'pool p: retries is a whole number of at least 0',
      'pool p: the name of its cookie is letters, digits, hyphens and underscores',
      'pool h: loadBound is above 1, or null',
      'route shop: a path begins with /, ends with /* or not, and holds nothing that is encoded',
      'route /a/*/b: a path begins with /, ends with /* or not, and holds nothing that is encoded',
      "route /rest/v1/x: that path is Atoll's own",
      'route /q: there is no pool none',
      "route /r: rewrite is '' or a path without a slash at its end",
      'route /h: "EU.test" is no host in small letters',
      'route /h: "get" is no method in capitals',
      'route /h: maxRequestBytes is a whole number above 0',
      'route /twice: it is declared twice',
    ])
  })
})

describe('places of kept answers', () => {
  const places = (...addresses: string[]) =>
    Promise.all(addresses.map((address) => placeOf('shop', new URL(address))))

  it('lie below the address that was asked for, so that the Worker is before them', async () => {
    const [place] = await places('https://front.test:8443/shop/cart/?b=1')
    expect(place).toMatch(/^https:\/\/front\.test:8443\/shop\/cart\/_atoll\/kept\/[\w-]{43}$/)
  })

  it('are apart by pool, host, path and query', async () => {
    const found = [
      ...(await places(
        'https://front.test/a',
        'https://other.test/a',
        'http://front.test/a',
        'https://front.test/a/',
        'https://front.test/a?b',
        'https://front.test/a?b=',
      )),
      await placeOf('other', new URL('https://front.test/a')),
    ]
    expect(new Set(found).size).toBe(found.length)
  })
})
