import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, it } from 'vitest'
import { insertRun, nextRun, readRun } from '../../db/backups/backups.ts'
import { pause } from '../../db/cluster/pause.ts'
import { engineOf, servicesFor } from '../../functions/areas.ts'
import {
  BackupRounds,
  type ShownBackup,
  type ShownPlan,
  type ShownRun,
} from '../../functions/backups/area.ts'
import { sweepFiles } from '../../functions/storage/sweep-files.ts'
import { app } from '../fixture-app/app.ts'
import { type Ask, askMany, askOver, databases } from '../support/one-and-many.ts'
import { restoreInto } from '../support/restore-into.ts'
import { call, publishableKey, json as read, secretKey } from '../support/worker-client.ts'

interface TestEnv {
  readonly BUCKET: R2Bucket
  readonly EMPTY: D1Database
  readonly EMPTY_1: D1Database
  readonly EMPTY_2: D1Database
  readonly ATOLL_JWT_SECRET: string
}
const { BUCKET, EMPTY, EMPTY_1, EMPTY_2, ATOLL_JWT_SECRET } = env as unknown as TestEnv
const prefix = '_atoll/backups/'
const engine = engineOf(app)
const services = () => servicesFor(engine)(env as never)

const send = (path: string, body: object = {}, method = 'POST') =>
  call(`/backups/v1${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(method === 'POST' ? { body: JSON.stringify(body) } : {}),
  })

/** Asks for something, and waits until it is over; the Worker's own Durable Object does it. */
async function ended(path: string, body: object = {}): Promise<ShownRun> {
  const asked = await send(path, body)
  if (asked.status !== 202) throw new Error(`${path}: ${asked.status} ${await asked.text()}`)
  const { id } = (await asked.json()) as ShownRun
  let last: ShownRun | null = null
  for (let i = 0; i < 600; i++) {
    const run = await read<ShownRun>(`/backups/v1/runs/${id}`)
    if (run.state !== 'waiting' && run.state !== 'running') return run
    last = run
    await pause(50)
  }
  throw new Error(`${path} does not end: ${JSON.stringify(last)}`)
}

const wrongOf = ({ findings }: Pick<ShownRun, 'findings'>) => findings.filter(({ isRight }) => !isRight)

const all = async (ask: Ask) =>
  Promise.all(
    ['customers', 'invoices', 'invoice_items', 'tracks', 'albums', 'employees', 'playlist_tracks'].map(
      async (table) => {
        const answer = await ask(`${table}?limit=100000`)
        if (!answer.ok) throw new Error(`${table}: ${answer.status}`)
        const rows = (await answer.json()) as object[]
        return [table, rows.map((row) => JSON.stringify(row)).sort()] as const
      },
    ),
  )

const headers = { 'Content-Type': 'application/json', Prefer: 'atomicity=shard' }
let backup = ''

describe('backups', { timeout: 180_000 }, () => {
  beforeAll(async () => {
    const made = await call('/storage/v1/bucket', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id: 'kept', name: 'kept' }),
    })
    expect(made.status).toBe(200)
  })

  it('are for the secret key alone', async () => {
    const refused = await call('/backups/v1/', {}, publishableKey)
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([401, 'BACKUP001'])
  })

  it('are made while rows are written, and verified', async () => {
    let running = true
    const written: Promise<void> = (async () => {
      for (let i = 0; running && i < 200; i++) {
        await pause(10)
        const id = 950_000 + i
        const row = { id, first_name: 'A', last_name: 'B', email: `${id}@backups.test` }
        await askMany('customers', { method: 'POST', headers, body: JSON.stringify(row) })
        await askMany(`customers?id=eq.${950_000 + (i >> 1)}`, {
          method: 'PATCH',
          headers,
          body: '{"fax":"1"}',
        })
      }
    })()
    const made = await ended('/').finally(() => {
      running = false
    })
    await written
    expect([made.state, made.error]).toEqual(['done', null])
    const verified = await ended(`/${made.id}/verify`)
    expect([verified.state, wrongOf(verified)]).toEqual(['done', []])
    expect(verified.findings.length).toBeGreaterThan(10)
    // Logs are not kept any longer.
    for (const database of Object.values(databases))
      expect(
        await database
          .prepare("SELECT count(*) AS n FROM _atoll_cursors WHERE consumer GLOB 'backup:*'")
          .first('n'),
      ).toBe(0)
    expect(wrongOf({ findings: (await restoreInto({ DB: EMPTY }, made.id)).findings })).toEqual([])
  })

  it('hold what the databases held, files of buckets among it, and are restored into one database and into three', async () => {
    const put = await call('/storage/v1/object/kept/a.txt', { method: 'POST', body: 'kept' })
    expect(put.status).toBe(200)
    const made = await ended('/')
    backup = made.id
    const before = await all(askMany)
    const into: Readonly<Record<string, D1Database>>[] = [
      { DB: EMPTY },
      { DB: EMPTY, SHARD_1: EMPTY_1, SHARD_2: EMPTY_2 },
    ]
    for (const bound of into) {
      const { findings, rows } = await restoreInto(bound, backup)
      expect(wrongOf({ findings })).toEqual([])
      expect(rows).toBeGreaterThan(1000)
      expect(await all(askOver(bound))).toEqual(before)
      const blob = await EMPTY.prepare("SELECT blob FROM _atoll_objects WHERE bucket = 'kept'").first<string>(
        'blob',
      )
      expect(await (await BUCKET.get(blob as string))?.text()).toBe('kept')
    }
  })

  it('are listed and shown', async () => {
    const { backups } = await read<{ backups: readonly ShownBackup[] }>('/backups/v1/')
    const shown = backups.find(({ id }) => id === backup)
    expect(shown).toMatchObject({ refused: null, migrations: expect.arrayContaining([]) })
    expect(shown?.databases.map(({ name }) => name)).toEqual(['DB', 'SHARD_1', 'SHARD_2', 'SHARD_3'])
    expect(shown?.tables.customers).toBeGreaterThan(10)
    expect(await read(`/backups/v1/${backup}`)).toMatchObject({ format: 'atoll-backup', id: backup })
  })

  it('are increments of what has changed, restored with all that they add to, and refused without a link', async () => {
    const kindsOf = async (id: string) =>
      (await read<{ backups: readonly ShownBackup[] }>('/backups/v1/')).backups.find((one) => one.id === id)
    const whole = await ended('/', { increment: true })
    // Nobody has kept the logs for the one before.
    expect([whole.state, whole.instead]).toEqual(['done', expect.stringContaining('change logs were kept')])
    const change = async (id: number) => {
      const row = { id, first_name: 'A', last_name: 'B', email: `${id}@increments.test` }
      await askMany('customers', { method: 'POST', headers, body: JSON.stringify(row) })
      await askMany(`customers?id=eq.${id}`, { method: 'PATCH', headers, body: '{"fax":"2"}' })
      await askMany(`customers?id=eq.${id - 1}`, { method: 'DELETE', headers })
    }
    await change(970_001)
    const first = await ended('/', { increment: true })
    await change(970_002)
    const last = await ended('/', { increment: true })
    const before = await all(askMany)
    expect([first.state, last.state, last.instead]).toEqual(['done', 'done', null])
    expect(await kindsOf(last.id)).toMatchObject({ kind: 'increment', parent: first.id })
    expect((await kindsOf(last.id))?.tables.customers).toBe(1)
    const verified = await ended(`/${last.id}/verify`)
    expect([verified.state, wrongOf(verified)]).toEqual(['done', []])
    expect(verified.findings.map(({ says }) => says)).toContain(
      `3 backups: ${whole.id}, ${first.id}, ${last.id}`,
    )
    const { findings } = await restoreInto({ DB: EMPTY, SHARD_1: EMPTY_1, SHARD_2: EMPTY_2 }, last.id)
    expect(wrongOf({ findings })).toEqual([])
    expect(await all(askOver({ DB: EMPTY, SHARD_1: EMPTY_1, SHARD_2: EMPTY_2 }))).toEqual(before)

    // Rules keep one, and that needs the others.
    const pruned = await (await send('/prune', { plan: true, keep: { hourly: 1 } })).json()
    expect(pruned).toMatchObject({ links: expect.arrayContaining([whole.id, first.id]) })
    const refused = await send(`/${first.id}`, {}, 'DELETE')
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([409, 'BACKUP016'])

    const key = `${prefix}manifests/${first.id}.json`
    const manifest = (await (await BUCKET.get(key))?.text()) as string
    await BUCKET.delete(key)
    const unlinked = await send(`/${last.id}/restore`, { into: 'empty', plan: true })
    expect([unlinked.status, await unlinked.json()]).toMatchObject([
      409,
      { code: 'BACKUP015', details: expect.stringContaining(`adds to ${first.id}, which is missing`) },
    ])
    expect(wrongOf(await ended(`/${last.id}/verify`)).map(({ check }) => check)).toEqual(['chain'])
    await BUCKET.put(key, manifest)

    const { parts } = await read<{ parts: readonly { file: string }[] }>(`/backups/v1/${first.id}`)
    const file = `parts/${first.id}/${parts[0]?.file}`
    const bytes = (await (await BUCKET.get(`${prefix}${file}`))?.bytes()) as Uint8Array
    await BUCKET.put(`${prefix}${file}`, bytes.slice(1))
    expect(wrongOf(await ended(`/${last.id}/verify`)).map(({ check }) => check)).toContain(
      `file ${first.id}/${parts[0]?.file}`,
    )

    expect((await send(`/${whole.id}?increments=true`, {}, 'DELETE')).status).toBe(204)
    expect(await kindsOf(last.id)).toBeUndefined()
    for (const database of Object.values(databases))
      expect(
        await database
          .prepare("SELECT count(*) AS n FROM _atoll_cursors WHERE consumer GLOB 'backup:*'")
          .first('n'),
      ).toBe(0)
  })

  it('hold no secrets', async () => {
    const secrets = [secretKey, publishableKey, ATOLL_JWT_SECRET]
    let looked = 0
    for (const { key } of (await BUCKET.list({ prefix })).objects) {
      const body = (await BUCKET.get(key))?.body as ReadableStream
      const plain = key.endsWith('.gz') ? body.pipeThrough(new DecompressionStream('gzip')) : body
      const text = await new Response(plain).text()
      for (const secret of secrets) expect(text.includes(secret)).toBe(false)
      looked++
    }
    expect(looked).toBeGreaterThan(4)
  })

  it('bring one value back beside what is there: what lacks, or in its place', async () => {
    const [row] = (await (await askMany('invoices?select=customer_id&limit=1')).json()) as {
      customer_id: number
    }[]
    const value = row?.customer_id as number
    const own = async () =>
      (await askMany(`customers?id=eq.${value}&select=*,invoices(*,invoice_items(*))`)).json()
    const before = await own()
    const [invoice] = (before as { invoices: { id: number }[] }[])[0]?.invoices ?? []
    await askMany(`invoice_items?invoice_id=eq.${invoice?.id}`, { method: 'DELETE', headers })
    await askMany(`invoices?id=eq.${invoice?.id}`, { method: 'DELETE', headers })
    await askMany(`customers?id=eq.${value}`, { method: 'PATCH', headers, body: '{"fax":"changed"}' })
    const plan = (await (
      await send(`/${backup}/restore`, { into: 'beside', value, plan: true })
    ).json()) as ShownPlan
    expect(plan).toMatchObject({
      problems: [],
      tables: expect.arrayContaining([expect.objectContaining({ name: 'invoices' })]),
    })
    const lacking = await ended(`/${backup}/restore`, { into: 'beside', value })
    expect([lacking.state, lacking.error, wrongOf(lacking)]).toEqual(['done', null, []])
    expect(((await own()) as object[])[0]).toMatchObject({
      fax: 'changed',
      invoices: (before as { invoices: object[] }[])[0]?.invoices,
    })
    const replaced = await ended(`/${backup}/restore`, { into: 'beside', value, conflict: 'replace' })
    expect([replaced.state, replaced.error, wrongOf(replaced)]).toEqual(['done', null, []])
    expect(await own()).toEqual(before)
  })

  it('are joined by what is kept of one value, as JSON lines and CSV', async () => {
    const [row] = (await (await askMany('invoices?select=customer_id&limit=1')).json()) as {
      customer_id: number
    }[]
    const value = row?.customer_id
    const invoices = (await (await askMany(`invoices?customer_id=eq.${value}&order=id`)).json()) as {
      id: number
    }[]
    const lines = (await (await call(`/backups/v1/export/${value}`)).text()).trim().split('\n')
    const read = lines.map((line) => JSON.parse(line) as { table: string; row: { id: number } })
    expect(read.filter(({ table }) => table === 'customers').map(({ row: { id } }) => id)).toEqual([value])
    expect(read.filter(({ table }) => table === 'invoices').map(({ row: { id } }) => id)).toEqual(
      invoices.map(({ id }) => id),
    )
    const csv = (await (await call(`/backups/v1/export/${value}?table=invoices`)).text()).trim().split('\r\n')
    expect(csv.length).toBe(invoices.length + 1)
    expect(csv[0]).toContain('customer_id')
    expect((await call(`/backups/v1/export/${value}`, {}, publishableKey)).status).toBe(401)
  })

  it('are not laid over rows that are there', async () => {
    const refused = await send(`/${backup}/restore`, { into: 'empty' })
    const { code, details } = (await refused.json()) as { code: string; details: string }
    expect([refused.status, code]).toEqual([409, 'BACKUP006'])
    expect(details).toContain('customers on DB has rows.')
    expect((await send('/none/restore', { into: 'empty' })).status).toBe(404)
    expect((await send(`/${backup}/restore`, { into: 'somewhere' })).status).toBe(400)
  })

  it('whose files are damaged are told so, and the rest of them is restored', async () => {
    const { parts } = await read<{
      parts: readonly { file: string; kind: string; tables: readonly string[] }[]
    }>(`/backups/v1/${backup}`)
    const part = parts.find(
      ({ kind, tables: own }) => kind === 'rows' && own.includes('invoices') && !own.includes('tracks'),
    )
    const key = `${prefix}parts/${backup}/${part?.file}`
    const bytes = await (await BUCKET.get(key))?.bytes()
    await BUCKET.put(key, (bytes as Uint8Array).slice(1))
    const verified = await ended(`/${backup}/verify`)
    expect(wrongOf(verified).map(({ check }) => check)).toContain(`file ${part?.file}`)
    const { findings } = await restoreInto({ DB: EMPTY }, backup)
    expect(wrongOf({ findings }).map(({ check }) => check)).toContain(`file ${part?.file}`)
    expect(await EMPTY.prepare('SELECT count(*) AS n FROM tracks').first('n')).toBe(
      await databases.DB.prepare('SELECT count(*) AS n FROM tracks').first('n'),
    )
    expect(await EMPTY.prepare('SELECT count(*) AS n FROM invoices').first<number>('n')).toBeGreaterThan(0)
    await BUCKET.put(key, bytes as Uint8Array)
  })

  it('whose manifest somebody has changed are refused', async () => {
    const key = `${prefix}manifests/${backup}.json`
    const text = (await (await BUCKET.get(key))?.text()) as string
    await BUCKET.put(key, text.replace('"position":', '"position":1'))
    const refused = await send(`/${backup}/verify`)
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([409, 'BACKUP005'])
    const { backups } = await read<{ backups: readonly ShownBackup[] }>('/backups/v1/')
    expect(backups.find(({ id }) => id === backup)?.refused).toContain('signature')
    await BUCKET.put(key, text)
    expect((await send(`/${backup}/verify`)).status).toBe(202)
  })

  it('that the bucket refuses are tried again, and then given up with the reason', async () => {
    const refusing = {
      ...services(),
      backups: {
        put: async () => {
          throw new Error('put: We encountered an internal error. (10001)')
        },
        get: async () => null,
        list: async () => [],
        remove: async () => undefined,
      },
    }
    const { cluster } = services()
    const session = cluster.open({ reads: false, seen: new Map() })
    for (let i = 0; i < 100 && (await nextRun(session)) !== null; i++) await pause(100)
    // The Worker's own rounds, whose bucket is well, have rung for the last time by then.
    await pause(4000)
    const run = `refused-${Date.now()}`
    await session.primary([insertRun(run, 'full', {}, Date.now())])
    const rounds = new BackupRounds()
    const hasFailed = async () => (await readRun(session, run))?.state === 'failed'
    for (let i = 0; i < 60 && !(await hasFailed()); i++)
      await rounds.run(refusing, engine, async () => undefined)
    // The next one takes away what it has left.
    await rounds.run(refusing, engine, async () => undefined)
    expect(await readRun(session, run)).toMatchObject({
      state: 'failed',
      error: expect.stringContaining('10001'),
      progress: null,
    })
  })

  it('keep the bytes of files that were deleted since, until no backup names them', async () => {
    const blobOf = () =>
      databases.DB.prepare("SELECT blob FROM _atoll_objects WHERE bucket = 'kept'").first<string>('blob')
    const blob = (await blobOf()) as string
    expect((await call('/storage/v1/object/kept/a.txt', { method: 'DELETE' })).status).toBe(200)
    expect(await blobOf()).toBeNull()
    const { cluster } = services()
    const session = cluster.open({ reads: false, seen: new Map() })
    const sweep = () => sweepFiles(BUCKET, session, null, Date.now() + 10_000, 0)
    await sweep()
    expect(await BUCKET.head(blob)).not.toBeNull()
    const back = await ended(`/${backup}/restore`, {
      into: 'beside',
      tables: ['_atoll_buckets', '_atoll_objects'],
    })
    expect([back.state, back.error]).toEqual(['done', null])
    expect(await (await call('/storage/v1/object/kept/a.txt')).text()).toBe('kept')
    expect((await call('/storage/v1/object/kept/a.txt', { method: 'DELETE' })).status).toBe(200)
    for (const { id } of (await read<{ backups: readonly ShownBackup[] }>('/backups/v1/')).backups)
      if (id !== backup) expect((await send(`/${id}`, {}, 'DELETE')).status).toBe(204)
    await sweep()
    expect(await BUCKET.head(blob)).not.toBeNull()
  })

  it('are pruned by rules, and deleted with their files', async () => {
    expect((await send('/prune')).status).toBe(409)
    expect(await (await send('/prune', { keep: { daily: 1 } })).json()).toEqual({
      pruned: [],
      links: [],
      forgot: [],
    })

    expect((await send(`/${backup}`, {}, 'DELETE')).status).toBe(204)
    expect((await BUCKET.list({ prefix: `${prefix}parts/${backup}/` })).objects).toEqual([])
    expect((await send(`/${backup}`, {}, 'DELETE')).status).toBe(404)
    const { cluster } = services()
    const swept = await sweepFiles(
      BUCKET,
      cluster.open({ reads: false, seen: new Map() }),
      null,
      Date.now() + 10_000,
      0,
    )
    expect(swept.orphans.length).toBeGreaterThan(0)
  })
})
