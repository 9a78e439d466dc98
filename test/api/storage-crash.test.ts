import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Cluster } from '../../db/cluster/cluster.ts'
import { createGateway } from '../../functions/gateway.ts'
import { deleteBlobsJob } from '../../functions/storage/remove-objects.ts'
import { storageJobs } from '../../functions/storage/storage-jobs.ts'
import { sweepFiles } from '../../functions/storage/sweep-files.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { Life, mortalBucket, mortalDatabase } from '../support/crashing-bindings.ts'
import { fetchFrom } from '../support/later-work.ts'

/** A Worker that dies between any two of its calls to R2 and D1, and what is true afterwards. */
const { DB, BUCKET } = env as unknown as { DB: D1Database; BUCKET: R2Bucket }
const secret = 'sb_secret_test'
const gateway = createGateway({ tables, config: { cache: false } })
const cluster = new Cluster(new Map([['DB', DB]]), { migrations: [], timeoutMs: 10_000 })
const session = () => cluster.open({ reads: false, seen: new Map() })

function ask(life: Life, method: string, path: string, init: RequestInit = {}): Promise<Response> {
  const bindings = {
    DB: mortalDatabase(DB, life),
    BUCKET: mortalBucket(BUCKET, life),
    ATOLL_SECRET_KEY: secret,
  }
  const headers = {
    apikey: secret,
    'Content-Type': 'text/plain',
    ...(init.headers as Record<string, string>),
  }
  return fetchFrom(
    gateway,
    new Request(`http://atoll.test/storage/v1${path}`, { ...init, method, headers }),
    bindings,
  )
}
const forever = () => new Life(Number.POSITIVE_INFINITY, false)
const rows = async <T>(text: string) => (await DB.prepare(text).all<T>()).results

/** What the relay does in the long run: runs the jobs, and compares rows and bytes. */
async function settle(): Promise<{ orphans: number; missing: number }> {
  const job = storageJobs.find(({ name }) => name === deleteBlobsJob)
  for (const { id, payload } of await rows<{ id: string; payload: string }>(
    `SELECT id, payload FROM _atoll_jobs WHERE name = '${deleteBlobsJob}'`,
  )) {
    await job?.run({ input: JSON.parse(payload) } as never, { files: BUCKET, cluster } as never)
    await DB.prepare('DELETE FROM _atoll_jobs WHERE id = ?').bind(id).run()
  }
  await rows('UPDATE _atoll_uploads SET expires = 1, lock_until = 0')
  let orphans = 0
  let missing = 0
  let after: string | null = null
  do {
    const swept = await sweepFiles(BUCKET, session(), after, Date.now() + 1000, 0)
    orphans += swept.orphans.length
    missing += swept.missing.length
    after = swept.after
  } while (after !== null)
  return { orphans, missing }
}

/** Every row has its bytes, all bytes have their row, and nothing else is there. */
async function checkTruth(): Promise<void> {
  const named = await rows<{ blob: string; size: number }>('SELECT blob, size FROM _atoll_objects')
  const { objects } = await BUCKET.list({ prefix: 'objects/' })
  const there = new Map(objects.map(({ key, size }) => [key, size]))
  expect([...there.keys()].sort()).toEqual(named.map(({ blob }) => blob).sort())
  for (const { blob, size } of named) expect(there.get(blob)).toBe(size)
  expect((await BUCKET.list({ prefix: 'uploads/' })).objects).toEqual([])
  expect(await rows('SELECT id FROM _atoll_uploads')).toEqual([])
  for (const { name, blob } of await rows<{ name: string; blob: string }>(
    'SELECT name, blob FROM _atoll_objects',
  )) {
    const text = await (await BUCKET.get(blob))?.text()
    const wanted = contents[name as keyof typeof contents]
    if (!wanted?.includes(text ?? '')) throw new Error(`${name} has other bytes: ${text?.length}`)
  }
}

const large = 'p'.repeat(5_000_000) + 'q'.repeat(4_000_000)

/** What an object may hold. */
const contents = {
  'new.txt': ['new'],
  'kept.txt': ['kept', 'new'],
  'copy.txt': ['kept'],
  'moved.txt': ['kept'],
  'parts.txt': [large],
  'tus.txt': [`${large}end`],
  'summed.txt': [`${large}end`],
}

const form = (text: string) => {
  const body = new FormData()
  body.append('', new Blob([text], { type: 'text/plain' }))
  return body
}

/** What a client does, in one life or several. */
const scenarios: Record<string, (life: () => Life) => Promise<unknown>> = {
  'a new object': (life) => ask(life(), 'POST', '/object/crash/new.txt', { body: 'new' }),
  'an object in the place of another': (life) =>
    ask(life(), 'POST', '/object/crash/kept.txt', { body: 'new', headers: { 'x-upsert': 'true' } }),
  'an object in parts': (life) => {
    const request = new Request('http://x', { method: 'POST', body: form(large) })
    const type = request.headers.get('content-type') as string
    return ask(life(), 'POST', '/object/crash/parts.txt', {
      body: request.body as never,
      headers: { 'Content-Type': type },
    })
  },
  'a copy': (life) =>
    ask(life(), 'POST', '/object/copy', {
      body: JSON.stringify({ bucketId: 'crash', sourceKey: 'kept.txt', destinationKey: 'copy.txt' }),
    }),
  'a move': (life) =>
    ask(life(), 'POST', '/object/move', {
      body: JSON.stringify({ bucketId: 'crash', sourceKey: 'kept.txt', destinationKey: 'moved.txt' }),
    }),
  'a removal': (life) =>
    ask(life(), 'DELETE', '/object/crash', { body: JSON.stringify({ prefixes: ['kept.txt'] }) }),
  'an upload by tus': async (life) => {
    const tus = { 'Tus-Resumable': '1.0.0', 'Content-Type': 'application/offset+octet-stream' }
    const metadata = `bucketName ${btoa('crash')},objectName ${btoa('tus.txt')},contentType ${btoa('text/plain')}`
    const one = life()
    const created = await ask(one, 'POST', '/upload/resumable', {
      headers: {
        'Tus-Resumable': '1.0.0',
        'Upload-Length': String(large.length + 3),
        'Upload-Metadata': metadata,
      },
    })
    const path = new URL(created.headers.get('location') ?? 'http://x/storage/v1/none').pathname.slice(
      '/storage/v1'.length,
    )
    for (const [offset, body] of [
      [0, large.slice(0, 4_000_000)],
      [4_000_000, large.slice(4_000_000)],
      [9_000_000, 'end'],
    ] as const) {
      await ask(one, 'PATCH', path, { body, headers: { ...tus, 'Upload-Offset': String(offset) } })
    }
  },
}

scenarios['an upload by tus with checksums, begun again'] = async (life) => {
  const metadata = `bucketName ${btoa('crash')},objectName ${btoa('summed.txt')},contentType ${btoa('text/plain')}`
  const created = await ask(life(), 'POST', '/upload/resumable', {
    headers: {
      'Tus-Resumable': '1.0.0',
      'Upload-Length': String(large.length + 3),
      'Upload-Metadata': metadata,
    },
  })
  const path = new URL(created.headers.get('location') ?? 'http://x/storage/v1/none').pathname.slice(
    '/storage/v1'.length,
  )
  const whole = `${large}end`
  for (let tries = 0; tries < 6; tries++) {
    // The first life ends somewhere; the client goes on with the next Worker where it was told to.
    const one = tries === 0 ? life() : forever()
    await rows('UPDATE _atoll_uploads SET lock_until = 0')
    const head = await ask(one, 'HEAD', path, { headers: { 'Tus-Resumable': '1.0.0' } })
    const offset = Number(head.headers.get('upload-offset'))
    if (head.status !== 200 || offset === whole.length) continue
    const body = whole.slice(offset, offset + 4_500_000)
    const sum = await crypto.subtle.digest('SHA-1', new TextEncoder().encode(body))
    await ask(one, 'PATCH', path, {
      body,
      headers: {
        'Tus-Resumable': '1.0.0',
        'Content-Type': 'application/offset+octet-stream',
        'Upload-Offset': String(offset),
        'Upload-Checksum': `sha1 ${btoa(String.fromCharCode(...new Uint8Array(sum)))}`,
      },
    })
  }
}

beforeEach(async () => {
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
  for (const table of ['_atoll_objects', '_atoll_uploads', '_atoll_buckets', '_atoll_jobs'])
    await rows(`DELETE FROM ${table}`)
  const { objects } = await BUCKET.list()
  if (objects.length > 0) await BUCKET.delete(objects.map(({ key }) => key))
  const made = await ask(forever(), 'POST', '/bucket', { body: JSON.stringify({ name: 'crash' }) })
  expect(made.status).toBe(200)
  await ask(forever(), 'POST', '/object/crash/kept.txt', { body: 'kept' })
})
afterEach(() => vi.restoreAllMocks())

describe('a Worker that dies', () => {
  it.each(Object.entries(scenarios))(
    'in the middle of %s leaves rows and bytes that agree',
    { timeout: 120_000 },
    async (_, run) => {
      let died = 0
      for (let calls = 1; calls < 40; calls += calls < 12 ? 1 : 2) {
        let isOver = false
        // By turns it dies before the call and after it: one call's end is much like the next one's beginning.
        for (const lastHappens of calls < 4 ? [false, true] : [(calls >> 1) % 2 === 0]) {
          const life = new Life(calls, lastHappens)
          await run(() => life)
          isOver = life.isOver
          if (isOver) died++
          const { missing } = await settle()
          expect(missing).toBe(0)
          await checkTruth()
          // What was there is whole: as it was, or as it was to become.
          const kept = await ask(forever(), 'GET', '/object/crash/kept.txt')
          const moved = await ask(forever(), 'GET', '/object/crash/moved.txt')
          const text = kept.status === 200 ? await kept.text() : 'gone'
          expect(['kept', 'new', 'gone']).toContain(text)
          if (moved.status === 200) expect([await moved.text(), text]).toEqual(['kept', 'gone'])
          for (const name of [
            'new.txt',
            'parts.txt',
            'copy.txt',
            'moved.txt',
            'tus.txt',
            'summed.txt',
            'kept.txt',
          ]) {
            await ask(forever(), 'DELETE', `/object/crash/${name}`)
          }
          await ask(forever(), 'POST', '/object/crash/kept.txt', { body: 'kept' })
          await settle()
        }
        if (!isOver) break
      }
      expect(died).toBeGreaterThan(3)
    },
  )

  it('after its last part has come in by tus has its upload finished by whoever asks for it next', async () => {
    const tus = { 'Tus-Resumable': '1.0.0', 'Content-Type': 'application/offset+octet-stream' }
    const metadata = `bucketName ${btoa('crash')},objectName ${btoa('tus.txt')},contentType ${btoa('text/plain')}`
    let finished = 0
    for (let calls = 3; calls < 14; calls++) {
      const created = await ask(forever(), 'POST', '/upload/resumable', {
        headers: {
          'Tus-Resumable': '1.0.0',
          'Upload-Length': '5',
          'Upload-Metadata': metadata,
          'x-upsert': 'true',
        },
      })
      const path = new URL(created.headers.get('location') ?? '').pathname.slice('/storage/v1'.length)
      await ask(new Life(calls, true), 'PATCH', path, {
        body: 'whole',
        headers: { ...tus, 'Upload-Offset': '0' },
      })
      await rows('UPDATE _atoll_uploads SET lock_until = 0')
      const head = await ask(forever(), 'HEAD', path, { headers: tus })
      if (head.headers.get('upload-offset') === '5') finished++
      // It says that it is all there only when it is.
      if (head.status === 404 || head.headers.get('upload-offset') === '5') {
        expect(await (await ask(forever(), 'GET', '/object/crash/tus.txt')).text()).toBe('whole')
      }
      await ask(forever(), 'DELETE', '/object/crash/tus.txt')
      await settle()
    }
    expect(finished).toBeGreaterThan(0)
  })
})

describe('the sweep', () => {
  it('takes away bytes that no row names, once they are old, and reports rows without bytes', async () => {
    await BUCKET.put('objects/crash/nobodys', 'x')
    expect((await sweepFiles(BUCKET, session(), null)).orphans).toEqual([])
    const [{ blob }] = (await rows<{ blob: string }>('SELECT blob FROM _atoll_objects')) as [{ blob: string }]
    await BUCKET.delete(blob)
    const swept = await sweepFiles(BUCKET, session(), null, Date.now() + 2 * 3_600_000)
    expect(swept).toMatchObject({ orphans: ['objects/crash/nobodys'], missing: [blob] })
    expect(await BUCKET.head('objects/crash/nobodys')).toBeNull()
  })

  it('clears expired uploads away until none is left, whatever became of some of them', async () => {
    await rows('DELETE FROM _atoll_uploads')
    await DB.prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
       INSERT INTO _atoll_uploads (id, bucket, name, blob, multipart, mime, cache_control, upsert, created, expires, tail, tail_key)
       SELECT 'expired' || i, 'crash', 'e' || i, 'objects/crash/e' || i, '', 'text/plain', '', 0, 1, 1, 1, 'uploads/e' || i FROM n`,
    ).run()
    await DB.prepare(`INSERT INTO _atoll_upload_callers SELECT id, 'sub:x' FROM _atoll_uploads`).run()
    await BUCKET.put('uploads/e7', 'x')
    const runs: { uploads: number; isMore: boolean }[] = []
    do {
      const { uploads, isMore } = await sweepFiles(BUCKET, session(), null)
      runs.push({ uploads, isMore })
    } while (runs.at(-1)?.isMore)
    expect(runs.map(({ uploads }) => uploads)).toEqual([500, 500, 200])
    expect(await rows('SELECT id FROM _atoll_uploads')).toEqual([])
    expect(await rows('SELECT id FROM _atoll_upload_callers')).toEqual([])
    expect(await BUCKET.head('uploads/e7')).toBeNull()
  })
})
