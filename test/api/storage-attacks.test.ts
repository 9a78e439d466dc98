import { env } from 'cloudflare:workers'
import { eq } from 'drizzle-orm'
import { SignJWT } from 'jose'
import { beforeEach, describe, expect, it } from 'vitest'
import type { ObjectCondition } from '../../db/define.ts'
import { declareBuckets } from '../../db/system/declare-buckets.ts'
import { createGateway } from '../../functions/gateway.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { fetchFrom } from '../support/later-work.ts'

/** Callers who try to write what is another's, in a bucket where everybody may put things and only owners replace them. */
const { DB, BUCKET } = env as unknown as { DB: D1Database; BUCKET: R2Bucket }
const jwtSecret = 'a-secret-of-the-attacks-on-files-that-is-long-enough'
const own: ObjectCondition = ({ caller, object }) => eq(object.owner, caller.sub)
const ofText: ObjectCondition = ({ object }) => eq(object.mime, 'text/plain')
const storage = {
  shared: { access: { authenticated: { select: true, insert: true, update: own, delete: own } } },
  texts: {
    public: true,
    mimeTypes: ['text/plain', 'image/*'],
    access: { authenticated: { insert: ofText } },
  },
} as const
const gateway = createGateway({ tables, storage, config: { cache: false } })
const bindings = { DB, BUCKET, ATOLL_SECRET_KEY: 'sb_secret_test', ATOLL_JWT_SECRET: jwtSecret }

async function headersOf(who: string | null): Promise<Record<string, string>> {
  if (who === null) return {}
  if (who === 'secret') return { apikey: 'sb_secret_test' }
  const token = await new SignJWT({ role: 'authenticated', sub: who })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(jwtSecret))
  return { Authorization: `Bearer ${token}` }
}
async function ask(
  who: string | null,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: BodyInit,
) {
  const all = { 'Content-Type': 'text/plain', ...(await headersOf(who)), ...headers }
  const request = new Request(`http://atoll.test/storage/v1${path}`, {
    method,
    headers: all,
    ...(body === undefined ? {} : { body }),
  })
  return fetchFrom(gateway, request, bindings)
}
const text = async (path: string, who = 'alice') => (await ask(who, 'GET', `/object/shared/${path}`)).text()
const upsert = { 'x-upsert': 'true' }
const tus = { 'Tus-Resumable': '1.0.0', 'Content-Type': 'application/offset+octet-stream' }
const metadataOf = (name: string, bucket = 'shared', mime = 'text/plain') =>
  `bucketName ${btoa(bucket)},objectName ${btoa(name)},contentType ${btoa(mime)}`

async function begin(
  who: string | null,
  name: string,
  headers: Record<string, string> = {},
  path = '/upload/resumable',
) {
  const answer = await ask(who, 'POST', path, {
    'Tus-Resumable': '1.0.0',
    'Upload-Length': '3',
    'Upload-Metadata': metadataOf(name),
    ...headers,
  })
  const location = answer.headers.get('location')
  return {
    status: answer.status,
    path: location === null ? '' : new URL(location).pathname.slice('/storage/v1'.length),
  }
}
const patch = (who: string | null, path: string, body = 'bob', headers = {}) =>
  ask(who, 'PATCH', path, { ...tus, 'Upload-Offset': '0', ...headers }, body)

beforeEach(async () => {
  await DB.batch(
    ['_atoll_objects', '_atoll_uploads', '_atoll_buckets'].map((table) => DB.prepare(`DELETE FROM ${table}`)),
  )
  await declareBuckets(DB, storage)
})

describe('an object of another', () => {
  it('is not replaced by way of a signed address', async () => {
    expect((await ask('alice', 'POST', '/object/shared/a.txt', {}, 'alice')).status).toBe(200)
    expect((await ask('bob', 'POST', '/object/shared/a.txt', upsert, 'bob')).status).toBe(403)
    expect((await ask('bob', 'POST', '/object/upload/sign/shared/a.txt', upsert)).status).toBe(403)
    // Signed while the name is free, and used when it is taken.
    const signed = await ask('bob', 'POST', '/object/upload/sign/shared/later.txt', upsert)
    const { token } = await signed.json<{ token: string }>()
    await ask('alice', 'POST', '/object/shared/later.txt', {}, 'alice')
    expect(
      (await ask(null, 'PUT', `/object/upload/sign/shared/later.txt?token=${token}`, {}, 'bob')).status,
    ).toBe(403)
    expect([await text('a.txt'), await text('later.txt')]).toEqual(['alice', 'alice'])
    const other = await ask('bob', 'POST', '/object/upload/sign/shared/free.txt')
    const mine = await other.json<{ token: string }>()
    expect(
      (await ask(null, 'PUT', `/object/upload/sign/shared/free.txt?token=${mine.token}`, {}, 'bob')).status,
    ).toBe(200)
    expect((await ask('bob', 'POST', '/object/shared/free.txt', upsert, 'bob again')).status).toBe(200)
  })

  it('is not replaced by a resumable upload that was begun while its name was free', async () => {
    const { path } = await begin('bob', 'race.txt', upsert)
    await ask('alice', 'POST', '/object/shared/race.txt', {}, 'alice')
    // Which way he takes makes no difference; and what was refused is gone.
    expect((await patch('bob', path.replace('/resumable/', '/resumable/sign/'))).status).toBe(403)
    expect((await patch('bob', path)).status).toBe(404)
    expect((await ask('bob', 'HEAD', path, tus)).status).toBe(404)
    expect(await text('race.txt')).toBe('alice')
    expect((await DB.prepare('SELECT id FROM _atoll_uploads').all()).results).toEqual([])
  })

  it('does not come to be in another bucket of the same name', async () => {
    const { path } = await begin('bob', 'moved.txt')
    await DB.prepare("DELETE FROM _atoll_buckets WHERE id = 'shared'").run()
    await declareBuckets(DB, storage)
    expect((await patch('bob', path)).status).toBe(404)
    expect((await ask('bob', 'GET', '/object/shared/moved.txt')).status).toBe(404)
  })
})

describe('an upload of another', () => {
  it('is not there for those who know its address', async () => {
    for (const owner of ['alice', 'secret']) {
      const { path } = await begin(owner, `${owner}.txt`)
      for (const way of [path, path.replace('/resumable/', '/resumable/sign/')]) {
        for (const who of ['bob', null]) {
          expect((await ask(who, 'HEAD', way, tus)).status).toBe(404)
          expect((await patch(who, way)).status).toBe(404)
          expect((await ask(who, 'DELETE', way, tus)).status).toBe(404)
        }
      }
      expect((await patch(owner, path)).status).toBe(204)
    }
  })

  it('that a signed address has begun goes on with its token, and with nothing else', async () => {
    const { token } = await (await ask('bob', 'POST', '/object/upload/sign/shared/s.txt')).json<{
      token: string
    }>()
    const signed = { 'x-signature': token }
    const { path, status } = await begin(null, 's.txt', signed, '/upload/resumable/sign')
    expect([status, path]).toEqual([201, expect.stringContaining('/upload/resumable/sign/')])
    expect((await begin(null, 'other.txt', signed, '/upload/resumable/sign')).status).toBe(400)
    expect((await patch(null, path)).status).toBe(404)
    expect((await patch('bob', path)).status).toBe(404)
    expect((await patch(null, path, 'bob', signed)).status).toBe(204)
    expect(await text('s.txt')).toBe('bob')
    expect((await ask('bob', 'POST', '/object/shared/s.txt', upsert, 'mine')).status).toBe(200)
  })
})

describe('a content type', () => {
  it('is one, and the one that the bucket takes', async () => {
    const types = [
      'text/plain;a=b, text/html',
      'text/html',
      'text/plain\thtml',
      'text/plain; a="</x>"',
      'text',
      `text/plain; a=${'x'.repeat(300)}`,
    ]
    for (const type of types) {
      expect([
        type,
        (await ask('secret', 'POST', '/object/texts/t', { 'Content-Type': type }, 'x')).status,
      ]).toEqual([type, 415])
      const headers = { 'Upload-Metadata': metadataOf('t', 'texts', type) }
      expect((await begin('secret', 't', headers)).status).toBe(415)
    }
    const crlf = { 'Upload-Metadata': metadataOf('t', 'texts', 'text/plain;\r\nset-cookie: a=b') }
    expect((await begin('secret', 't', crlf)).status).toBe(415)
    expect(
      (
        await ask(
          'secret',
          'POST',
          '/object/texts/t',
          { 'Content-Type': ' TEXT/plain ;charset="utf-8"' },
          'x',
        )
      ).status,
    ).toBe(200)
    expect((await ask(null, 'GET', '/object/public/texts/t')).headers.get('content-type')).toBe(
      'text/plain; charset="utf-8"',
    )
  })

  it('that a policy names is asked of what comes', async () => {
    expect((await ask('bob', 'POST', '/object/texts/p', {}, 'x')).status).toBe(200)
    expect((await ask('bob', 'POST', '/object/texts/i', { 'Content-Type': 'image/png' }, 'x')).status).toBe(
      403,
    )
    const { token } = await (await ask('bob', 'POST', '/object/upload/sign/texts/q')).json<{
      token: string
    }>()
    const at = `/object/upload/sign/texts/q?token=${token}`
    expect((await ask(null, 'PUT', at, { 'Content-Type': 'image/png' }, 'x')).status).toBe(403)
    expect((await ask(null, 'PUT', at, {}, 'x')).status).toBe(200)
  })

  it('of which nobody knows what browsers make is saved, and runs nothing', async () => {
    for (const type of [
      'application/rdf+xml',
      'image/svg+xml',
      'multipart/x-mixed-replace',
      'application/xhtml+xml',
      'text/x-unknown',
      'application/javascript',
    ]) {
      await ask(
        'secret',
        'POST',
        '/object/shared/t',
        { 'Content-Type': type, ...upsert, 'Cache-Control': 'public, max-age=9' },
        'x',
      )
      if (type.startsWith('multipart')) continue
      const { headers } = await ask('secret', 'GET', '/object/shared/t')
      expect([type, headers.get('content-security-policy')]).toEqual([
        type,
        expect.stringContaining('sandbox'),
      ])
      expect(headers.get('content-disposition')).toMatch(/^attachment/)
      expect(headers.get('cache-control')).toBe('private, max-age=9')
    }
  })
})

describe('names', () => {
  it('are those of the address, however it is written', async () => {
    await ask('secret', 'POST', '/object/shared/object/public/x', {}, 'deep')
    expect(await text('object/public/x')).toBe('deep')
    expect((await ask('secret', 'GET', '/object/%zz/x')).status).toBe(400)
    expect((await ask(null, 'GET', '/object/%70ublic/shared/object/public/x')).status).toBe(404)
    expect(
      (await ask('secret', 'POST', `/object/shared/${encodeURIComponent('\u{10ffff}x')}`, {}, 'x')).status,
    ).toBe(400)
    for (const name of ['public', 'sign', 'list', 'info']) {
      expect((await ask('secret', 'POST', '/bucket', {}, JSON.stringify({ name }))).status).toBe(400)
    }
  })
})

describe('a request that was cut off', () => {
  it('writes nothing over what another has stored since', async () => {
    const { path } = await begin('alice', 'cut.txt', { 'Upload-Length': '10' })
    let send: (bytes: string | null) => void = () => undefined
    const slow = new ReadableStream<Uint8Array>({
      start(controller) {
        send = (bytes) =>
          bytes === null
            ? controller.error(new Error('gone'))
            : controller.enqueue(new TextEncoder().encode(bytes))
      },
    })
    const first = patch('alice', path, slow as never).catch(() => null)
    send('AA')
    await new Promise((wake) => setTimeout(wake, 100))
    // Its lease is over, and the client has come back by another way.
    await DB.prepare('UPDATE _atoll_uploads SET lock_until = 1').run()
    expect((await patch('alice', path, 'bbbbb')).headers.get('upload-offset')).toBe('5')
    send(null)
    await first
    expect((await ask('alice', 'HEAD', path, tus)).headers.get('upload-offset')).toBe('5')
    expect((await patch('alice', path, 'ccccc', { 'Upload-Offset': '5' })).status).toBe(204)
    expect(await text('cut.txt')).toBe('bbbbbccccc')
  })
})

describe('many uploads at a time', () => {
  const bounded = createGateway({
    tables,
    storage,
    config: { cache: false, pendingBytes: 24_000_000, unfinishedUploads: 8 },
  })
  const send = async (
    who: string,
    method: string,
    path: string,
    more: Record<string, string>,
    body?: BodyInit,
  ) => {
    const headers = { 'Tus-Resumable': '1.0.0', ...(await headersOf(who)), ...more }
    const url = path.startsWith('http') ? path : `http://atoll.test/storage/v1${path}`
    return fetchFrom(bounded, new Request(url, { method, headers, ...(body ? { body } : {}) }), bindings)
  }
  const begin = (who: string, name: string, length: number) =>
    send(who, 'POST', '/upload/resumable', {
      'Upload-Length': String(length),
      'Upload-Metadata': `bucketName ${btoa('shared')},objectName ${btoa(name)}`,
    })

  it('that have sent something and wait hold no more than there is room for, and lose nothing', async () => {
    const piece = new Uint8Array(2_000_000).fill(7)
    const total = 3 * piece.length
    const all = Promise.withResolvers<void>()
    let waiting = 0
    const results = await Promise.all(
      Array.from({ length: 6 }, async (_, i) => {
        const at = (await begin(`many${i}`, `many${i}.bin`, total)).headers.get('location') as string
        let sent = 0
        const body = new ReadableStream({
          async pull(controller) {
            if (sent === 2 && ++waiting === 6) all.resolve()
            if (sent === 2) await all.promise
            if (sent++ < 3) controller.enqueue(piece.slice())
            else controller.close()
          },
        })
        const type = { 'Content-Type': 'application/offset+octet-stream' }
        let answer = await send(`many${i}`, 'PATCH', at, { ...type, 'Upload-Offset': '0' }, body)
        for (let tries = 0; answer.status === 503 && tries < 20; tries++) {
          expect(['BOUND030', 'BOUND032']).toContain(((await answer.json()) as { code: string }).code)
          const head = await send(`many${i}`, 'HEAD', at, {})
          const offset = Number(head.headers.get('upload-offset'))
          const rest = new Uint8Array(total - offset).fill(7)
          answer = await send(`many${i}`, 'PATCH', at, { ...type, 'Upload-Offset': String(offset) }, rest)
        }
        return [answer.status, answer.headers.get('upload-offset')]
      }),
    )
    expect(results).toEqual(Array(6).fill([204, String(total)]))
    for (let i = 0; i < 6; i++) {
      const got = await ask(`many${i}`, 'GET', `/object/shared/many${i}.bin`)
      const bytes = new Uint8Array(await got.arrayBuffer())
      expect([bytes.length, bytes.every((byte) => byte === 7)]).toEqual([total, true])
    }
  })

  it('are bounded by caller: those of others, and finished ones, do not count', async () => {
    for (let i = 0; i < 8; i++) expect((await begin('hoarder', `h${i}`, 5)).status).toBe(201)
    const refused = await begin('hoarder', 'h8', 5)
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([429, 'BOUND033'])
    expect((await begin('another', 'a', 5)).status).toBe(201)
    const { results } = await DB.prepare(`SELECT id FROM _atoll_uploads WHERE name = 'h3'`).all<{
      id: string
    }>()
    const done = await send(
      'hoarder',
      'PATCH',
      `/upload/resumable/${results[0]?.id}`,
      { 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': '0' },
      'bytes',
    )
    expect(done.status).toBe(204)
    expect((await begin('hoarder', 'h8', 5)).status).toBe(201)
  })
})
