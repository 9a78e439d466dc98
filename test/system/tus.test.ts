import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@supabase/supabase-js'
import { LogLevel } from 'miniflare'
import { DetailedError, Upload } from 'tus-js-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { killWorkers } from '../support/kill-workers.ts'
import { secretKey, startTestServer, type TestServer } from '../support/local-server.ts'

/** tus-js-client and bare tus requests against the running server, on a state that survives its death. */
let server: TestServer
const persistTo = mkdtempSync(join(tmpdir(), 'atoll-tus-'))

beforeAll(async () => {
  server = await startTestServer({ persistTo, logLevel: LogLevel.NONE, isQuiet: true })
  await client().createBucket('files', { public: false })
}, 60_000)
afterAll(async () => {
  await server?.stop()
  rmSync(persistTo, { recursive: true, force: true })
})

const client = () => createClient(server.address, secretKey).storage
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** Bytes that differ everywhere. */
function bytesOf(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  let state = length | 1
  for (let i = 0; i + 4 <= length; i += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes.writeUInt32LE(state, i)
  }
  return bytes
}

interface Sent {
  readonly chunkSize?: number
  /** Is told how far it is; what it answers with stops it. */
  readonly onProgress?: (sent: number, upload: Upload) => void
}

function upload(name: string, bytes: Buffer, { chunkSize = 3_000_000, onProgress }: Sent = {}) {
  let current: Upload | undefined
  const done = new Promise<void>((end, fail) => {
    current = new Upload(bytes as never, {
      endpoint: `${server.address}/storage/v1/upload/resumable`,
      headers: { apikey: secretKey, 'x-upsert': 'true' },
      metadata: {
        bucketName: 'files',
        objectName: name,
        contentType: 'application/octet-stream',
        cacheControl: '60',
      },
      chunkSize,
      uploadSize: bytes.length,
      retryDelays: [100, 300, 1000, 3000, 5000, 8000, 8000],
      removeFingerprintOnSuccess: true,
      onError: fail,
      onSuccess: () => end(),
      onChunkComplete: (_, sent) => current && onProgress?.(sent, current),
    })
    current.start()
  })
  return { done, upload: current as unknown as Upload }
}

async function download(name: string): Promise<Buffer> {
  const { data, error } = await client().from('files').download(name)
  if (error) throw error
  return Buffer.from(await data.arrayBuffer())
}

/** Asks until it is so. */
async function until(isSo: () => Promise<boolean>): Promise<boolean> {
  for (let i = 0; i < 100; i++) {
    if (await isSo()) return true
    await sleep(100)
  }
  return false
}

describe('tus-js-client', () => {
  it('uploads in chunks that are no parts, and the file is hashed later', async () => {
    const bytes = bytesOf(20_000_003)
    await upload('chunks.bin', bytes).done
    expect(sha256(await download('chunks.bin'))).toBe(sha256(bytes))
    const info = async () =>
      (await client().from('files').info('chunks.bin')).data as unknown as {
        sha256: string | null
        size: number
      }
    expect(await until(async () => (await info()).sha256 !== null)).toBe(true)
    expect(await info()).toMatchObject({ size: 20_000_003, sha256: sha256(bytes) })
  })

  it('goes on after a pause', async () => {
    const bytes = bytesOf(12_000_000)
    let pauses = 0
    const { done } = upload('paused.bin', bytes, {
      chunkSize: 2_500_000,
      onProgress: (sent, running) => {
        if (sent < 5_000_000 || pauses > 0) return
        pauses++
        void running.abort().then(async () => {
          await sleep(300)
          running.start()
        })
      },
    })
    await done
    expect(pauses).toBe(1)
    expect(sha256(await download('paused.bin'))).toBe(sha256(bytes))
  })

  it('goes on when the server is killed in the middle', async () => {
    const bytes = bytesOf(25_000_000)
    let kills = 0
    const { done } = upload('killed.bin', bytes, {
      chunkSize: 5_000_000,
      onProgress: (sent) => {
        if (kills < 1 && sent >= 10_000_000) {
          kills++
          setTimeout(killWorkers, 20)
        }
      },
    })
    await done
    expect(kills).toBe(1)
    expect(sha256(await download('killed.bin'))).toBe(sha256(bytes))
    // The databases are reached anew after that.
    await server.reload()
  }, 90_000)

  it('is told why it may not', async () => {
    const failure = await upload('../x', bytesOf(10)).done.then(
      () => null,
      (error: unknown) => error,
    )
    expect(failure).toBeInstanceOf(DetailedError)
    expect((failure as DetailedError).originalResponse?.getStatus()).toBe(400)
  })
})

describe('tus', () => {
  const tus = { apikey: secretKey, 'Tus-Resumable': '1.0.0' }
  const encoded = (text: string) => Buffer.from(text).toString('base64')
  const metadata = (name: string) =>
    `bucketName ${encoded('files')},objectName ${encoded(name)},contentType ${encoded('text/plain')}`
  const ask = (method: string, url: string, headers: Record<string, string> = {}, body?: BodyInit) =>
    fetch(new URL(url, server.address), {
      method,
      headers: { ...tus, ...headers },
      ...(body === undefined ? {} : { body, duplex: 'half' }),
    } as RequestInit)
  const base = '/storage/v1/upload/resumable'
  const create = async (
    name: string,
    headers: Record<string, string> = { 'Upload-Length': '10' },
    body?: BodyInit,
  ) => {
    const answer = await ask('POST', base, { 'Upload-Metadata': metadata(name), ...headers }, body)
    return { status: answer.status, url: answer.headers.get('location') ?? '', headers: answer.headers }
  }
  const patch = (url: string, offset: number, body: BodyInit, headers: Record<string, string> = {}) =>
    ask(
      'PATCH',
      url,
      { 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': String(offset), ...headers },
      body,
    )

  it('says what it can', async () => {
    const answer = await fetch(server.address + base, { method: 'OPTIONS', headers: { apikey: secretKey } })
    expect(answer.status).toBe(204)
    expect(answer.headers.get('tus-version')).toBe('1.0.0')
    expect(answer.headers.get('tus-extension')).toContain('creation-with-upload')
    expect(answer.headers.get('tus-checksum-algorithm')).toBe('sha1,sha256,md5')
  })

  it('creates, goes on, and is asked how far it is', async () => {
    const { status, url, headers } = await create('t/plain.txt')
    expect([status, headers.get('tus-resumable')]).toEqual([201, '1.0.0'])
    expect(Date.parse(headers.get('upload-expires') ?? '')).toBeGreaterThan(Date.now())
    const first = await patch(url, 0, 'hello')
    expect([first.status, first.headers.get('upload-offset')]).toEqual([204, '5'])
    const head = await ask('HEAD', url)
    expect([
      head.status,
      head.headers.get('upload-offset'),
      head.headers.get('upload-length'),
      head.headers.get('cache-control'),
    ]).toEqual([200, '5', '10', 'no-store'])
    expect((await patch(url, 3, 'x')).status).toBe(409)
    expect((await patch(url, 5, 'world')).headers.get('upload-offset')).toBe('10')
    expect(String(await download('t/plain.txt'))).toBe('helloworld')
    // Who lost the answer to the last bytes asks how far it came.
    const done = await ask('HEAD', url)
    expect([done.status, done.headers.get('upload-offset')]).toEqual([200, '10'])
    expect(done.headers.get('upload-metadata')).toBe(metadata('t/plain.txt'))
  })

  it('creates with bytes, with the length later, and with none at all', async () => {
    const type = { 'Content-Type': 'application/offset+octet-stream' }
    const whole = await create('t/whole.txt', { 'Upload-Length': '5', ...type }, 'whole')
    expect([whole.status, whole.headers.get('upload-offset')]).toEqual([201, '5'])
    expect(String(await download('t/whole.txt'))).toBe('whole')
    const later = await create('t/later.txt', { 'Upload-Defer-Length': '1' })
    expect((await patch(later.url, 0, 'la')).status).toBe(204)
    expect((await ask('HEAD', later.url)).headers.get('upload-defer-length')).toBe('1')
    expect((await patch(later.url, 2, 'ter', { 'Upload-Length': '5' })).status).toBe(204)
    expect(String(await download('t/later.txt'))).toBe('later')
    expect((await create('t/empty.txt', { 'Upload-Length': '0' })).status).toBe(201)
    expect((await download('t/empty.txt')).length).toBe(0)
  })

  it('discards bytes that do not have their checksum', async () => {
    const { url } = await create('t/sum.txt')
    const sum = (text: string) => `sha1 ${createHash('sha1').update(text).digest('base64')}`
    expect((await patch(url, 0, 'hellO', { 'Upload-Checksum': sum('hello') })).status).toBe(460)
    expect((await ask('HEAD', url)).headers.get('upload-offset')).toBe('0')
    expect((await patch(url, 0, 'hello', { 'Upload-Checksum': sum('hello') })).status).toBe(204)
    expect((await patch(url, 5, 'x', { 'Upload-Checksum': 'crc32 AAAA' })).status).toBe(400)
    const large = bytesOf(20_000_000)
    const big = await create('t/big.bin', { 'Upload-Length': String(large.length) })
    const digest = createHash('sha256').update(large).digest('base64')
    const broken = Buffer.from(large)
    broken[19_999_999] = (broken[19_999_999] ?? 0) ^ 1
    expect((await patch(big.url, 0, broken as never, { 'Upload-Checksum': `sha256 ${digest}` })).status).toBe(
      460,
    )
    expect((await patch(big.url, 0, large as never, { 'Upload-Checksum': `sha256 ${digest}` })).status).toBe(
      204,
    )
    expect(sha256(await download('t/big.bin'))).toBe(sha256(large))
  })

  it('lets one request at a time write', async () => {
    const { url } = await create('t/both.txt', { 'Upload-Length': '10' })
    let send: (text: string | null) => void = () => undefined
    const slow = new ReadableStream<Uint8Array>({
      start(controller) {
        send = (text) =>
          text === null ? controller.close() : controller.enqueue(new TextEncoder().encode(text))
      },
    })
    const first = patch(url, 0, slow)
    send('hello')
    await sleep(400)
    const second = await patch(url, 0, 'other')
    expect(second.status).toBe(423)
    send('world')
    send(null)
    expect((await first).status).toBe(204)
    expect(String(await download('t/both.txt'))).toBe('helloworld')
  })

  it('keeps what came when the client went away', async () => {
    const { url } = await create('t/cut.bin', { 'Upload-Length': '20000000' })
    const bytes = bytesOf(20_000_000)
    const gone = new AbortController()
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(bytes.subarray(0, 9_000_000))
        await sleep(600)
        gone.abort()
      },
    })
    await fetch(url, {
      method: 'PATCH',
      headers: { ...tus, 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': '0' },
      body,
      duplex: 'half',
      signal: gone.signal,
    } as RequestInit).catch(() => null)
    const offset = async () => Number((await ask('HEAD', url)).headers.get('upload-offset'))
    expect(await until(async () => (await offset()) >= 8_388_608)).toBe(true)
    const isFree = async () => {
      const answer = await patch(url, await offset(), bytes.subarray(await offset()) as never)
      return answer.status === 204
    }
    for (let i = 0; i < 30 && !(await isFree()); i++) await sleep(1000)
    expect(sha256(await download('t/cut.bin'))).toBe(sha256(bytes))
  })

  it('ends an upload, and says what is wrong', async () => {
    const { url } = await create('t/gone.txt')
    expect((await ask('DELETE', url)).status).toBe(204)
    expect((await patch(url, 0, 'x')).status).toBe(404)
    const { url: other } = await create('t/wrong.txt')
    expect((await fetch(other, { method: 'HEAD', headers: { apikey: secretKey } })).status).toBe(412)
    expect(
      (await ask('PATCH', other, { 'Upload-Offset': '0', 'Content-Type': 'text/plain' }, 'x')).status,
    ).toBe(415)
    expect((await patch(other, 0, 'x', { 'Upload-Offset': '-1' })).status).toBe(400)
    expect((await patch(other, 0, 'more than it was')).status).toBe(413)
    expect((await create('t/x', { 'Upload-Length': 'ten' })).status).toBe(400)
    expect((await create('t/x', { 'Upload-Length': '6000000000' })).status).toBe(413)
    expect(
      (await ask('POST', base, { 'Upload-Length': '1', 'Upload-Metadata': 'bucketName !!' })).status,
    ).toBe(400)
    expect((await fetch(other, { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' } })).status).toBe(404)
  })
})
