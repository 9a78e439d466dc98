/**
 * `npm run load -- storage`: files beside bare R2 in the same Miniflare, as ratios; a file of 95 MB in one request and one of 2 GB
 * by tus, up and down, and what memory the server takes meanwhile. Ends by itself, after some minutes.
 * @module
 */
import { createHash, type Hash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LogLevel } from 'miniflare'
import type { LocalServer } from '../../functions/local/serve.ts'
import { childProcesses } from '../../functions/local/state-lock.ts'
import { prepareFixture, startFixture } from '../support/local-server.ts'
import { type Settings, secret } from './compare.ts'
import { cpuOf } from './process-cpu.ts'

const megabyte = 1_000_000
const block = Buffer.alloc(megabyte)
for (let i = 0; i < megabyte; i++) block[i] = (i * 31 + (i >> 8)) & 255

export async function runStorage({ rounds }: Settings): Promise<void> {
  const persistTo = mkdtempSync(join(tmpdir(), 'atoll-files-'))
  const server = await startFixture({
    port: 0,
    persistTo,
    isWhole: true,
    logLevel: LogLevel.NONE,
    entry: new URL('storage-worker.ts', import.meta.url).pathname,
    variables: { ATOLL_SECRET_KEY: secret.apikey, ATOLL_RATE_LIMITS: 'off' },
  })
  try {
    await prepareFixture(await server.databases())
    await ask(server, 'POST', '/storage/v1/bucket', JSON.stringify({ name: 'load' }))
    for (const [size, count] of [
      [10_000, 200],
      [1_000_000, 40],
      [20_000_000, 4],
    ] as const) {
      await compareSizes(server, size, count, rounds)
    }
    await oneRequest(server, 95)
    await byTus(server, 2000)
  } finally {
    await server.stop()
    rmSync(persistTo, { recursive: true, force: true })
  }
}

async function ask(
  server: LocalServer,
  method: string,
  path: string,
  body?: unknown,
  headers = {},
): Promise<Response> {
  const answer = await fetch(new URL(path, server.url), {
    method,
    headers: {
      ...secret,
      'x-upsert': 'true',
      'Content-Type': 'application/json',
      'Accept-Encoding': 'identity',
      ...headers,
    },
    ...(body === undefined ? {} : { body, duplex: 'half' }),
  } as RequestInit)
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
  return answer
}

const cpu = () => childProcesses().reduce((sum, pid) => sum + (cpuOf(pid) ?? 0), 0)

/** The same files by Atoll and by R2 alone, in turn; the best of the rounds, as machines are busy with other things. */
async function compareSizes(server: LocalServer, size: number, count: number, rounds: number): Promise<void> {
  const body = Buffer.alloc(size, block)
  const type = { 'Content-Type': 'application/octet-stream' }
  const work: Readonly<Record<string, (i: number) => Promise<unknown>>> = {
    'atoll up': async (i) =>
      (await ask(server, 'POST', `/storage/v1/object/load/f${i}`, body, type)).arrayBuffer(),
    'bare up': async (i) => (await ask(server, 'PUT', `/bare/f${i}`, body, type)).arrayBuffer(),
    'atoll down': async (i) => (await ask(server, 'GET', `/storage/v1/object/load/f${i}`)).arrayBuffer(),
    'bare down': async (i) => (await ask(server, 'GET', `/bare/f${i}`)).arrayBuffer(),
  }
  const best = new Map<string, { ms: number; cpu: number }>()
  for (let round = 0; round < rounds; round++) {
    for (const [name, one] of Object.entries(work)) {
      const [start, used] = [performance.now(), cpu()]
      for (let i = 0; i < count; i++) await one(i)
      const sample = { ms: (performance.now() - start) / count, cpu: (cpu() - used) / count }
      const known = best.get(name)
      if (!known || sample.ms < known.ms) best.set(name, sample)
    }
  }
  for (const way of ['up', 'down']) {
    const [atoll, bare] = [best.get(`atoll ${way}`), best.get(`bare ${way}`)]
    if (!atoll || !bare) continue
    console.log(
      `${(size / megabyte).toFixed(2).padStart(6)} MB ${way.padEnd(5)} ${atoll.ms.toFixed(1)} ms, bare R2 ${bare.ms.toFixed(1)} ms: ${(atoll.ms / bare.ms).toFixed(2)} times the time, ${(atoll.cpu / bare.cpu).toFixed(2)} times the CPU`,
    )
  }
}

/** Resident memory of the server's processes, in megabytes. */
function memory(): number {
  return childProcesses().reduce((sum, pid) => {
    try {
      const [, kilobytes = '0'] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
      return sum + Number(kilobytes) / 1000
    } catch {
      return sum
    }
  }, 0)
}

async function whileWatching(what: string, megabytes: number, work: () => Promise<void>): Promise<void> {
  const before = memory()
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, memory())
  }, 50)
  const start = performance.now()
  try {
    await work()
  } finally {
    clearInterval(timer)
  }
  const seconds = (performance.now() - start) / 1000
  console.log(
    `${what}: ${(megabytes / seconds).toFixed(0)} MB/s; memory ${before.toFixed(0)} MB before, ${most.toFixed(0)} MB at most`,
  )
}

/** So many megabytes, hashed as they go. */
function bodyOf(megabytes: number, hash: Hash): ReadableStream<Uint8Array> {
  let left = megabytes
  return new ReadableStream({
    pull(controller) {
      if (left-- === 0) return controller.close()
      hash.update(block)
      controller.enqueue(new Uint8Array(block))
    },
  })
}

async function checkDown(
  server: LocalServer,
  name: string,
  megabytes: number,
  wanted: string,
): Promise<void> {
  await whileWatching(`${megabytes} MB down`, megabytes, async () => {
    const answer = await ask(server, 'GET', `/storage/v1/object/load/${name}`)
    const hash = createHash('sha256')
    for await (const chunk of answer.body as never as AsyncIterable<Uint8Array>) hash.update(chunk)
    if (hash.digest('hex') !== wanted) throw new Error('other bytes came down')
  })
}

async function oneRequest(server: LocalServer, megabytes: number): Promise<void> {
  const hash = createHash('sha256')
  await whileWatching(`${megabytes} MB up in one request`, megabytes, async () => {
    const type = { 'Content-Type': 'application/octet-stream' }
    await ask(server, 'POST', '/storage/v1/object/load/large', bodyOf(megabytes, hash), type)
  })
  await checkDown(server, 'large', megabytes, hash.digest('hex'))
}

async function byTus(server: LocalServer, megabytes: number): Promise<void> {
  const perRequest = 80
  const hash = createHash('sha256')
  const encoded = (text: string) => Buffer.from(text).toString('base64')
  await whileWatching(`${megabytes} MB up by tus, ${perRequest} MB a request`, megabytes, async () => {
    const created = await ask(server, 'POST', '/storage/v1/upload/resumable', undefined, {
      'Tus-Resumable': '1.0.0',
      'Upload-Length': String(megabytes * megabyte),
      'Upload-Metadata': `bucketName ${encoded('load')},objectName ${encoded('huge')}`,
    })
    const path = new URL(created.headers.get('location') ?? '').pathname
    for (let offset = 0; offset < megabytes; offset += perRequest) {
      await ask(server, 'PATCH', path, bodyOf(Math.min(perRequest, megabytes - offset), hash), {
        'Tus-Resumable': '1.0.0',
        'Upload-Offset': String(offset * megabyte),
        'Content-Type': 'application/offset+octet-stream',
      })
    }
  })
  await checkDown(server, 'huge', megabytes, hash.digest('hex'))
}
