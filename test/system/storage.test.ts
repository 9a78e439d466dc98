import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { createClient } from '@supabase/supabase-js'
import { SignJWT } from 'jose'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { publishableKey, secretKey, startTestServer, type TestServer } from '../support/local-server.ts'

/** supabase-js against the running server, and what clients of other kinds may send. */
let server: TestServer
const jwtSecret = 'a-secret-of-the-tests-of-files-that-is-long-enough'

beforeAll(async () => {
  server = await startTestServer({ variables: { ATOLL_JWT_SECRET: jwtSecret } })
  const { storage } = client()
  await storage.createBucket('files')
  await storage.createBucket('open', { public: true })
}, 60_000)
afterAll(() => server?.stop())

const client = (key = secretKey) => createClient(server.address, key)
const files = () => client().storage.from('files')

async function userClient(sub: string) {
  const token = await new SignJWT({ role: 'authenticated', sub })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(jwtSecret))
  return createClient(server.address, publishableKey, {
    global: { headers: { Authorization: `Bearer ${token}` } },
  })
}

/** A bare request with the secret key. */
function ask(method: string, path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { apikey: secretKey, ...(init.headers as Record<string, string>) }
  return fetch(`${server.address}/storage/v1${path}`, { redirect: 'manual', ...init, method, headers })
}
const put = (name: string, body: BodyInit, headers: Record<string, string> = {}, bucket = 'files') =>
  ask('POST', `/object/${bucket}/${name}`, {
    body,
    headers: { 'Content-Type': 'text/plain', 'x-upsert': 'true', ...headers },
  })

/** Everything that supabase.storage offers for buckets and files: what it is, what is done, what must come of it. */
const methods: readonly (readonly [method: string, run: () => Promise<unknown>, wanted: unknown])[] = [
  [
    'createBucket',
    () =>
      client().storage.createBucket('made', {
        public: false,
        fileSizeLimit: '1MB',
        allowedMimeTypes: ['image/*', 'text/plain'],
      }),
    { data: { name: 'made' } },
  ],
  [
    'createBucket again',
    () => client().storage.createBucket('made'),
    { error: { status: 409, message: 'The resource already exists' } },
  ],
  [
    'getBucket',
    () => client().storage.getBucket('made'),
    {
      data: {
        id: 'made',
        public: false,
        file_size_limit: 1_000_000,
        allowed_mime_types: ['image/*', 'text/plain'],
      },
    },
  ],
  [
    'getBucket of none',
    () => client().storage.getBucket('none'),
    { error: { statusCode: '404', message: 'Bucket not found' } },
  ],
  [
    'listBuckets',
    () => client().storage.listBuckets({ search: 'mad', limit: 5, sortColumn: 'name' }),
    { data: [{ id: 'made' }] },
  ],
  [
    'updateBucket',
    () => client().storage.updateBucket('made', { public: true, fileSizeLimit: 100 }),
    { data: { message: 'Successfully updated' } },
  ],
  [
    'upload beyond the limit',
    () => client().storage.from('made').upload('a.txt', 'x'.repeat(101), { contentType: 'text/plain' }),
    { error: { status: 413 } },
  ],
  [
    'upload of another type',
    () => client().storage.from('made').upload('a.pdf', 'x', { contentType: 'application/pdf' }),
    { error: { status: 415, message: 'mime type application/pdf is not supported' } },
  ],
  [
    'upload of a Blob',
    () =>
      files().upload('m/blob é.txt', new Blob(['blob'], { type: 'text/plain' }), { metadata: { album: 1 } }),
    { data: { path: 'm/blob é.txt', fullPath: 'files/m/blob é.txt', id: expect.any(String) } },
  ],
  [
    'upload of text',
    () =>
      files().upload('m/text.txt', 'text', {
        contentType: 'text/plain',
        cacheControl: '60',
        metadata: { k: 'é' },
      }),
    { data: { path: 'm/text.txt' } },
  ],
  [
    'upload of bytes',
    () => files().upload('m/bytes.bin', new Uint8Array([1, 2, 3])),
    { data: { path: 'm/bytes.bin' } },
  ],
  [
    'upload of a stream',
    () => files().upload('m/stream.txt', new Blob(['a stream']).stream(), { contentType: 'text/plain' }),
    { data: { path: 'm/stream.txt' } },
  ],
  [
    'upload of a FormData',
    () => {
      const form = new FormData()
      form.append('file', new Blob(['form'], { type: 'text/plain' }), 'f.txt')
      return files().upload('m/form.txt', form)
    },
    { data: { path: 'm/form.txt' } },
  ],
  [
    'upload to a name that is taken',
    () => files().upload('m/text.txt', 'other'),
    { error: { status: 409, statusCode: '409', message: 'The resource already exists' } },
  ],
  [
    'upload with upsert',
    () => files().upload('m/text.txt', 'text 2', { upsert: true, contentType: 'text/plain' }),
    { data: { path: 'm/text.txt' } },
  ],
  [
    'update',
    () => files().update('m/text.txt', 'text 3', { contentType: 'text/plain' }),
    { data: { path: 'm/text.txt' } },
  ],
  [
    'update of nothing',
    () => files().update('m/none.txt', 'x'),
    { error: { status: 404, message: 'Object not found' } },
  ],
  [
    'download',
    async () => {
      const { data } = await files().download('m/text.txt')
      return [await data?.text(), data?.type]
    },
    ['text 3', 'text/plain'],
  ],
  [
    'download as a stream',
    async () => {
      const { data } = await files().download('m/stream.txt').asStream()
      return new Response(data).text()
    },
    'a stream',
  ],
  ['download of nothing', () => files().download('m/none.txt'), { error: { status: 404 } }],
  [
    'info',
    () => files().info('m/blob é.txt'),
    {
      data: {
        name: 'm/blob é.txt',
        bucketId: 'files',
        size: 4,
        contentType: 'text/plain',
        metadata: { album: 1 },
        sha256: createHash('sha256').update('blob').digest('hex'),
      },
    },
  ],
  ['exists', () => files().exists('m/text.txt'), { data: true }],
  ['exists of nothing', () => files().exists('m/none.txt'), { data: false }],
  ['list of the top', () => files().list(), { data: [{ name: 'm', id: null, metadata: null }] }],
  [
    'list',
    () => files().list('m', { limit: 2, offset: 1, sortBy: { column: 'name', order: 'asc' } }),
    { data: [{ name: 'bytes.bin', metadata: { size: 3 } }, { name: 'form.txt' }] },
  ],
  [
    'list with search',
    () => files().list('m', { search: 'STR' }),
    { data: [{ name: 'stream.txt', metadata: { mimetype: 'text/plain' } }] },
  ],
  [
    'listV2',
    () => files().listV2({ prefix: 'm/', limit: 2, with_delimiter: true }),
    {
      data: {
        hasNext: true,
        nextCursor: expect.any(String),
        folders: [],
        objects: [{ key: 'm/blob é.txt' }, { key: 'm/bytes.bin' }],
      },
    },
  ],
  ['copy', () => files().copy('m/text.txt', 'c/copy.txt'), { data: { path: 'files/c/copy.txt' } }],
  [
    'copy to another bucket',
    () => files().copy('m/text.txt', 'copy.txt', { destinationBucket: 'open' }),
    { data: { path: 'open/copy.txt' } },
  ],
  ['exists of what is there', () => files().exists('m/text.txt'), { data: true, error: null }],
  [
    'exists of nothing',
    () => files().exists('m/none.txt'),
    { data: false, error: { status: 404, code: 'NoSuchKey' } },
  ],
  [
    'listV2 by time, descending',
    () => files().listV2({ prefix: 'm/', limit: 1, sortBy: { column: 'created_at', order: 'desc' } }),
    { data: { hasNext: true, objects: [{ key: expect.stringMatching(/^m\//) }] } },
  ],
  ['list of more than can be had', () => files().list('m', { limit: 100_000 }), { error: null }],
  ['copy of nothing', () => files().copy('m/none.txt', 'x'), { error: { status: 404 } }],
  ['move', () => files().move('c/copy.txt', 'c/moved.txt'), { data: { message: 'Successfully moved' } }],
  [
    'move to a name that is taken',
    () => files().move('c/moved.txt', 'm/text.txt'),
    { error: { status: 409 } },
  ],
  [
    'move across buckets',
    () => files().move('c/moved.txt', 'moved.txt', { destinationBucket: 'open' }),
    { data: { message: 'Successfully moved' } },
  ],
  [
    'createSignedUrl',
    async () => {
      const { data } = await files().createSignedUrl('m/blob é.txt', 60)
      return (await fetch(data?.signedUrl ?? '')).text()
    },
    'blob',
  ],
  [
    'createSignedUrl to save',
    async () => {
      const { data } = await files().createSignedUrl('m/text.txt', 60, { download: 'x.txt' })
      return (await fetch(data?.signedUrl ?? '')).headers.get('content-disposition')
    },
    `attachment; filename="x.txt"; filename*=UTF-8''x.txt`,
  ],
  [
    'createSignedUrls',
    () => files().createSignedUrls(['m/text.txt', 'none'], 60),
    {
      data: [
        { path: 'm/text.txt', error: null, signedUrl: expect.stringContaining('token=') },
        { path: 'none', error: expect.any(String), signedUrl: null },
      ],
    },
  ],
  [
    'createSignedUploadUrl and uploadToSignedUrl',
    async () => {
      const { data } = await files().createSignedUploadUrl('s/up.txt')
      return client(publishableKey)
        .storage.from('files')
        .uploadToSignedUrl('s/up.txt', data?.token ?? '', new Blob(['signed'], { type: 'text/plain' }))
    },
    { data: { path: 's/up.txt', fullPath: 'files/s/up.txt' } },
  ],
  [
    'getPublicUrl',
    async () => {
      const { data } = client().storage.from('open').getPublicUrl('copy.txt', { download: true })
      const answer = await fetch(data.publicUrl)
      return [await answer.text(), answer.headers.get('content-disposition')]
    },
    ['text 3', `attachment; filename="copy.txt"; filename*=UTF-8''copy.txt`],
  ],
  [
    'getPublicUrl of a private bucket',
    async () => (await fetch(files().getPublicUrl('m/text.txt').data.publicUrl)).status,
    404,
  ],
  [
    'remove',
    () => files().remove(['m/text.txt', 'm/none.txt']),
    { data: [{ name: 'm/text.txt', bucket_id: 'files' }] },
  ],
  ['purgeCache', () => files().purgeCache('m/blob é.txt'), { error: null }],
  [
    'deleteBucket that is not empty',
    () => client().storage.deleteBucket('open'),
    { error: { status: 409, message: 'The bucket you tried to delete is not empty' } },
  ],
  ['emptyBucket', () => client().storage.emptyBucket('open'), { data: { message: 'Successfully emptied' } }],
  [
    'deleteBucket',
    () => client().storage.deleteBucket('made'),
    { data: { message: 'Successfully deleted' } },
  ],
]

describe('supabase.storage', () => {
  it.each(methods)('%s', async (_, run, wanted) => {
    const answer = await run()
    if (typeof wanted === 'object' && wanted !== null && !Array.isArray(wanted))
      expect(answer).toMatchObject(wanted)
    else expect(answer).toEqual(wanted)
  })
})

describe('a download', () => {
  const get = (headers: Record<string, string>, path = '/object/files/d.txt') =>
    ask('GET', path, { headers: { 'Accept-Encoding': 'identity', ...headers } })

  it('answers ranges, whole and in part, and beyond the end', async () => {
    await put('d.txt', '0123456789')
    const cases: readonly (readonly [string, number, string, string | null])[] = [
      ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
      ['bytes=7-', 206, '789', 'bytes 7-9/10'],
      ['bytes=-3', 206, '789', 'bytes 7-9/10'],
      ['bytes=-30', 206, '0123456789', 'bytes 0-9/10'],
      ['bytes=5-500', 206, '56789', 'bytes 5-9/10'],
      ['bytes=4-2', 200, '0123456789', null],
      ['bytes=0-1,3-4', 200, '0123456789', null],
      ['lines=1-2', 200, '0123456789', null],
    ]
    for (const [range, status, text, shown] of cases) {
      const answer = await get({ Range: range })
      expect([range, answer.status, await answer.text(), answer.headers.get('content-range')]).toEqual([
        range,
        status,
        text,
        shown,
      ])
    }
    for (const range of ['bytes=10-', 'bytes=-0', 'bytes=99-100']) {
      const answer = await get({ Range: range })
      expect([range, answer.status, answer.headers.get('content-range')]).toEqual([range, 416, 'bytes */10'])
    }
  })

  it('answers conditions', async () => {
    await put('d.txt', '0123456789')
    const first = await get({})
    const etag = first.headers.get('etag') as string
    const modified = first.headers.get('last-modified') as string
    const old = new Date(Date.now() - 86_400_000).toUTCString()
    const statusOf = async (headers: Record<string, string>) => (await get(headers)).status
    expect(await statusOf({ 'If-None-Match': etag })).toBe(304)
    expect(await statusOf({ 'If-None-Match': `"x", W/${etag}` })).toBe(304)
    expect(await statusOf({ 'If-None-Match': '"x"', 'If-Modified-Since': modified })).toBe(200)
    expect(await statusOf({ 'If-Modified-Since': modified })).toBe(304)
    expect(await statusOf({ 'If-Modified-Since': old })).toBe(200)
    expect(await statusOf({ 'If-Match': '"x"' })).toBe(412)
    expect(await statusOf({ 'If-Match': etag })).toBe(200)
    expect(await statusOf({ 'If-Unmodified-Since': old })).toBe(412)
    expect(await statusOf({ Range: 'bytes=0-1', 'If-Range': etag })).toBe(206)
    expect(await statusOf({ Range: 'bytes=0-1', 'If-Range': '"x"' })).toBe(200)
    const head = await ask('HEAD', '/object/files/d.txt', { headers: { 'Accept-Encoding': 'identity' } })
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '10', ''])
  })

  it('runs nothing in a browser', async () => {
    await put('p.html', '<script>alert(1)</script>', { 'Content-Type': 'text/html' })
    const answer = await get({}, '/object/files/p.html')
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expect(answer.headers.get('content-disposition')).toMatch(/^attachment/)
    expect(answer.headers.get('content-security-policy')).toContain('sandbox')
    expect(answer.headers.get('cache-control')).toMatch(/^private/)
    await put('p.svg', '<svg/>', { 'Content-Type': 'image/svg+xml' }, 'open')
    const open = await fetch(`${server.address}/storage/v1/object/public/open/p.svg`)
    expect(open.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(open.headers.get('content-disposition')).toBeNull()
  })

  it('goes on with the old bytes while the object is replaced', async () => {
    const [a, b] = ['a', 'b'].map((letter) => letter.repeat(3_000_000)) as [string, string]
    await put('race.txt', a)
    const reads = Array.from({ length: 12 }, async (_, i) => {
      await new Promise((wake) => setTimeout(wake, i * 8))
      return (await get({}, '/object/files/race.txt')).text()
    })
    await put('race.txt', b)
    for (const text of await Promise.all(reads)) expect(text === a || text === b).toBe(true)
  })
})

describe('an upload', () => {
  it('checks what the client says of its bytes', async () => {
    const sums = (algorithm: string) => createHash(algorithm).update('bytes').digest('base64')
    expect(
      (await put('sum.txt', 'bytes', { 'Content-MD5': sums('md5'), 'x-amz-checksum-sha256': sums('sha256') }))
        .status,
    ).toBe(200)
    for (const header of ['Content-MD5', 'x-amz-checksum-sha256']) {
      const algorithm = header === 'Content-MD5' ? 'md5' : 'sha256'
      const wrong = await put('sum2.txt', 'other', { [header]: sums(algorithm) })
      expect([wrong.status, ((await wrong.json()) as { code: string }).code]).toEqual([
        400,
        'InvalidChecksum',
      ])
      expect((await put('sum2.txt', 'other', { [header]: 'nonsense' })).status).toBe(400)
    }
    expect((await ask('GET', '/object/files/sum2.txt')).status).toBe(404)
  })

  it('takes names as they are, and refuses those that mean something', async () => {
    for (const name of [
      'quote\'s "and" %25 plus+ & ü 漢字 🎵.txt',
      "'; DROP TABLE _atoll_objects; --",
      'a/b/c/d/e',
      '.hidden',
      'C:',
      '%2e',
      '<img src=x>',
    ]) {
      const path = encodeURIComponent(name)
      expect([name, (await put(path, name)).status]).toEqual([name, 200])
      expect(await (await ask('GET', `/object/files/${path}`)).text()).toBe(name)
    }
    const bad = [
      '..%2Fx',
      'a%2F..%2Fb',
      'a%2F%2Fb',
      'a%2F',
      '%00',
      'a%0Ab',
      '%E2%80%AEx',
      '%ff',
      '%',
      'a%5Cb',
      'x'.repeat(901),
    ]
    for (const name of bad) {
      const answer = await put(name, 'x')
      expect([name, answer.status]).toEqual([name, 400])
    }
    expect((await put('x', 'x', {}, '..%2Ffiles')).status).toBe(400)
    expect((await put('x', 'x', {}, 'none')).status).toBe(404)
  })

  it('of a large form is taken in parts, and one beyond the limit leaves nothing', async () => {
    await client().storage.createBucket('narrow', { public: false, fileSizeLimit: 10_000_000 })
    const narrow = client().storage.from('narrow')
    const blob = (bytes: number) => new Blob([new Uint8Array(bytes).fill(7)], { type: 'image/png' })
    expect((await narrow.upload('fits.png', blob(9_500_000))).error).toBeNull()
    // It is refused while it flows: a client that is still sending sees the answer, or its connection end.
    const { error } = await narrow.upload('large.png', blob(18_500_000))
    expect(error).not.toBeNull()
    expect([413, undefined]).toContain((error as { status?: number }).status)
    // The connection on which it was refused may end under the next request.
    const first = await narrow.download('fits.png')
    const { data } = first.error === null ? first : await narrow.download('fits.png')
    expect(
      createHash('sha256')
        .update(new Uint8Array((await data?.arrayBuffer()) as ArrayBuffer))
        .digest('hex'),
    ).toBe(createHash('sha256').update(new Uint8Array(9_500_000).fill(7)).digest('hex'))
    const database = await server.database('DB')
    expect(await database.prepare('SELECT count(*) FROM _atoll_uploads').first('count(*)')).toBe(0)
    const bucket = await server.miniflare.getR2Bucket('BUCKET')
    const { objects } = await bucket.list({ prefix: 'objects/narrow/' })
    expect(objects.map(({ size }) => size)).toEqual([9_500_000])
  })

  it('that ends before the length that it was announced with leaves nothing', async () => {
    const bucket = await server.miniflare.getR2Bucket('BUCKET')
    const keys = async () => (await bucket.list({ prefix: 'objects/files/' })).objects.map(({ key }) => key)
    const before = await keys()
    const { hostname, port } = new URL(server.address)
    const socket = connect(Number(port), hostname)
    await new Promise<void>((ready) => socket.once('connect', ready))
    socket.write(
      `POST /storage/v1/object/files/short.txt HTTP/1.1\r\nHost: x\r\napikey: ${secretKey}\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\nonly this`,
    )
    await new Promise((wake) => setTimeout(wake, 300))
    socket.destroy()
    await new Promise((wake) => setTimeout(wake, 300))
    expect((await ask('GET', '/object/files/short.txt')).status).toBe(404)
    expect(await keys()).toEqual(before)
  })

  it('by a form keeps its names in any script, and arrives in any packets', async () => {
    const body = new FormData()
    body.set('métadonnées €', 'a field, which comes before the file')
    body.set('metadata', '{"titre":"été €"}')
    body.set('photo', new File(['a photo'], '日本 – 2024.png', { type: 'image/png' }))
    expect((await ask('POST', '/object/files/script.png', { body })).status).toBe(200)
    const { data } = await files().info('script.png')
    expect(data).toMatchObject({ size: 7, contentType: 'image/png', metadata: { titre: 'été €' } })

    const form = '--x\r\nContent-Disposition: form-data; name=""; filename="a"\r\n\r\nhello\r\n--x--\r\n'
    const { hostname, port } = new URL(server.address)
    for (const cut of [form.length - 3, form.length - 5]) {
      const socket = connect({ port: Number(port), host: hostname, noDelay: true })
      await new Promise<void>((ready) => socket.once('connect', ready))
      socket.write(
        `POST /storage/v1/object/files/cut-${cut}.txt HTTP/1.1\r\nHost: x\r\napikey: ${secretKey}\r\nConnection: close\r\n` +
          `Content-Type: multipart/form-data; boundary=x\r\nContent-Length: ${form.length}\r\n\r\n${form.slice(0, cut)}`,
      )
      await new Promise((wake) => setTimeout(wake, 300))
      socket.write(form.slice(cut))
      let answer = ''
      for await (const text of socket.setEncoding('utf8')) answer += text
      expect([cut, answer.slice(0, 15)]).toEqual([cut, 'HTTP/1.1 200 OK'])
      expect(await (await ask('GET', `/object/files/cut-${cut}.txt`)).text()).toBe('hello')
    }
  })

  it('says what is wrong with a form', async () => {
    const send = (body: string, type = 'multipart/form-data; boundary=x') =>
      ask('POST', '/object/files/form.txt', { body, headers: { 'Content-Type': type } })
    const file =
      '--x\r\nContent-Disposition: form-data; name=""; filename="a"\r\nContent-Type: text/plain\r\n\r\nhello'
    expect((await send(`${file}`)).status).toBe(400)
    expect((await send('--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n')).status).toBe(
      400,
    )
    expect((await send('nothing', 'multipart/form-data')).status).toBe(400)
    expect((await ask('GET', '/object/files/form.txt')).status).toBe(404)
    expect((await put('meta.txt', 'x', { 'x-metadata': btoa('[1]') })).status).toBe(400)
  })
})

describe('a signed address', () => {
  it('opens nothing but what it was signed for, and not for longer', async () => {
    await put('signed.txt', 'secret')
    await put('other.txt', 'other')
    const { data } = await files().createSignedUrl('signed.txt', 2)
    const url = new URL(data?.signedUrl ?? '')
    const token = url.searchParams.get('token') as string
    const get = async (path: string, with_: string) =>
      (await fetch(`${server.address}/storage/v1/object/${path}?token=${encodeURIComponent(with_)}`)).status
    expect(await get('sign/files/signed.txt', token)).toBe(200)
    expect(await get('sign/files/other.txt', token)).toBe(400)
    expect(await get('sign/open/signed.txt', token)).toBe(400)
    const bytes = Buffer.from(token, 'base64url')
    const forged = [0, 13, bytes.length - 1].map((at) => {
      const copy = Buffer.from(bytes)
      copy[at] = (copy[at] ?? 0) ^ 1
      return copy.toString('base64url')
    })
    for (const wrong of ['', 'x', ...forged, token.slice(0, -2), `${token}AA`]) {
      expect([wrong, await get('sign/files/signed.txt', wrong)]).toEqual([wrong, 400])
    }
    const asUpload = await fetch(
      `${server.address}/storage/v1/object/upload/sign/files/signed.txt?token=${token}`,
      {
        method: 'PUT',
        body: 'x',
      },
    )
    expect(asUpload.status).toBe(400)
    await new Promise((wake) => setTimeout(wake, 2100))
    expect(await get('sign/files/signed.txt', token)).toBe(400)
  })

  it('is worth nothing in another bucket of the same name', async () => {
    const { storage } = client()
    await storage.createBucket('twice')
    await put('a.txt', 'first', {}, 'twice')
    const { data } = await storage.from('twice').createSignedUrl('a.txt', 600)
    await storage.emptyBucket('twice')
    await storage.deleteBucket('twice')
    await storage.createBucket('twice')
    await put('a.txt', 'second', {}, 'twice')
    expect((await fetch(data?.signedUrl ?? '')).status).toBe(400)
  })
})

describe('policies', () => {
  it('show and let write what is the caller’s own, and nothing of others', async () => {
    const seven = (await userClient('7')).storage.from('uploads')
    const eight = (await userClient('8')).storage.from('uploads')
    expect((await seven.upload('7/a/mine.txt', 'mine', { contentType: 'text/plain' })).error).toBeNull()
    expect((await seven.upload('8/not.txt', 'x')).error).toMatchObject({ status: 403 })
    expect((await seven.upload('top.txt', 'x')).error).toMatchObject({ status: 403 })
    expect((await eight.download('7/a/mine.txt')).error).toMatchObject({ status: 404 })
    expect((await eight.info('7/a/mine.txt')).error).toMatchObject({ status: 404 })
    expect((await eight.exists('7/a/mine.txt')).data).toBe(false)
    expect((await eight.list()).data).toEqual([])
    expect((await eight.list('7')).data).toEqual([])
    expect((await eight.listV2({ with_delimiter: true })).data).toMatchObject({ folders: [], objects: [] })
    expect((await seven.listV2({ with_delimiter: true })).data).toMatchObject({
      folders: [{ key: '7', name: '7/' }],
    })
    expect((await eight.createSignedUrl('7/a/mine.txt', 60)).error).toMatchObject({ status: 404 })
    expect((await eight.createSignedUrls(['7/a/mine.txt'], 60)).data?.[0]?.signedUrl).toBeNull()
    expect((await eight.createSignedUploadUrl('7/b.txt')).error).toMatchObject({ status: 403 })
    expect((await eight.remove(['7/a/mine.txt'])).data).toEqual([])
    expect((await eight.move('7/a/mine.txt', '8/stolen.txt')).error).toMatchObject({ status: 404 })
    expect((await eight.copy('7/a/mine.txt', '8/stolen.txt')).error).toMatchObject({ status: 404 })
    expect((await eight.update('7/a/mine.txt', 'x')).error).toMatchObject({ status: 403 })
    expect((await seven.move('7/a/mine.txt', '8/gift.txt')).error).toMatchObject({ status: 403 })
    expect((await seven.update('7/a/mine.txt', 'changed')).error).toBeNull()
    expect((await seven.info('7/a/mine.txt')).data).toMatchObject({ size: 7 })
    expect((await seven.remove(['7/a/mine.txt'])).data).toHaveLength(1)
  })

  it('deny what nobody was granted', async () => {
    const anon = client(publishableKey).storage
    expect((await anon.listBuckets()).error).toMatchObject({ status: 401 })
    expect((await anon.createBucket('x')).error).toMatchObject({ status: 401 })
    expect((await anon.from('files').upload('x', 'x')).error).toMatchObject({ status: 401 })
    expect((await anon.from('files').download('d.txt')).error).toMatchObject({ status: 404 })
    expect((await client().storage.deleteBucket('covers')).error).toMatchObject({ status: 409 })
  })
})

describe('images in other sizes', () => {
  const png = (width: number, height: number) =>
    sharp({ create: { width, height, channels: 3, background: '#3366cc' } })
      .png()
      .toBuffer()
  const sizeOf = async (response: Response) => {
    const { width, height, format } = await sharp(Buffer.from(await response.arrayBuffer())).metadata()
    return [width, height, format]
  }
  beforeAll(async () => {
    const body = new Blob([new Uint8Array(await png(400, 200))], { type: 'image/png' })
    expect((await client().storage.from('open').upload('wide.png', body, { upsert: true })).error).toBeNull()
    expect((await files().upload('wide.png', body, { upsert: true })).error).toBeNull()
    expect(
      (await files().upload('not.png', 'text', { contentType: 'image/png', upsert: true })).error,
    ).toBeNull()
    expect(
      (await files().upload('note.txt', 'text', { contentType: 'text/plain', upsert: true })).error,
    ).toBeNull()
  })

  it('are made of public ones, by the side that is asked, in a format that the browser takes', async () => {
    const { data } = client()
      .storage.from('open')
      .getPublicUrl('wide.png', { transform: { width: 100 } })
    const plain = await fetch(data.publicUrl)
    expect([plain.status, plain.headers.get('content-type')]).toEqual([200, 'image/png'])
    const etag = plain.headers.get('etag') ?? ''
    expect(await sizeOf(plain)).toEqual([100, 50, 'png'])
    expect((await fetch(data.publicUrl, { headers: { 'If-None-Match': etag } })).status).toBe(304)
    const webp = await fetch(data.publicUrl, { headers: { Accept: 'image/webp,*/*' } })
    expect([webp.headers.get('content-type'), webp.headers.get('etag') === etag]).toEqual([
      'image/webp',
      false,
    ])
    expect(await sizeOf(webp)).toEqual([100, 50, 'webp'])
    const origin = await fetch(`${data.publicUrl}&format=origin`, { headers: { Accept: 'image/webp' } })
    expect(origin.headers.get('content-type')).toBe('image/png')
    const cover = client()
      .storage.from('open')
      .getPublicUrl('wide.png', { transform: { width: 80, height: 80, resize: 'cover' } })
    expect(await sizeOf(await fetch(cover.data.publicUrl))).toEqual([80, 80, 'png'])
  })

  it('are for who may have the image, or whom it was signed for, as it was signed', async () => {
    const { data } = await files().download('wide.png', { transform: { width: 40 } })
    expect((await sharp(Buffer.from(await (data as Blob).arrayBuffer())).metadata()).width).toBe(40)
    const denied = await client(publishableKey)
      .storage.from('files')
      .download('wide.png', { transform: { width: 40 } })
    expect(denied.error).toMatchObject({ status: 404 })
    const signed = await files().createSignedUrl('wide.png', 60, { transform: { width: 60 } })
    const address = signed.data?.signedUrl ?? ''
    expect(await sizeOf(await fetch(address))).toEqual([60, 30, 'png'])
    expect(await sizeOf(await fetch(`${address}&width=10`))).toEqual([60, 30, 'png'])
    const whole = address.replace('/render/image/sign/', '/object/sign/')
    expect((await fetch(whole)).status).toBe(400)
  })

  it('are refused of what is no image, and in sizes that nobody has', async () => {
    const ask400 = async (path: string) => {
      const answer = await ask('GET', `/render/image/authenticated/files/${path}`)
      return [answer.status, ((await answer.json()) as { code: string }).code]
    }
    expect(await ask400('note.txt?width=10')).toEqual([400, 'InvalidRequest'])
    expect(await ask400('not.png?width=10')).toEqual([400, 'InvalidRequest'])
    expect(await ask400('wide.png?width=0')).toEqual([400, 'InvalidRequest'])
    expect(await ask400('wide.png?width=2501')).toEqual([400, 'InvalidRequest'])
    expect(await ask400('wide.png?resize=stretch')).toEqual([400, 'InvalidRequest'])
    expect(await ask400('none.png?width=10')).toEqual([404, 'NoSuchKey'])
  })
})
