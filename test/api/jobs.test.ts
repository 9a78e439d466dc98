import { eq, sql } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { cleanUp } from '../../functions/jobs/clean-up.ts'
import { defineJob, giveUp, type JobContext, retryAfter, sending } from '../../functions/jobs/define-job.ts'
import { claim } from '../../functions/jobs/job-rows.ts'
import { runBatch } from '../../functions/jobs/run-batch.ts'
import { listJobs } from '../../functions/jobs/show-jobs.ts'
import { artistSales, artists } from '../fixture-app/db/app/schema.ts'
import { createBench } from '../support/job-bench.ts'

/** What the jobs of this file did, in order. */
let done: string[] = []
let behave: (context: JobContext<{ n: number }>) => Promise<unknown> = async () => undefined

const input = z.object({ n: z.int(), text: z.string().optional() })
const plain = defineJob({
  name: 'plain',
  input,
  retry: { maxAttempts: 3, minDelaySeconds: 10, factor: 2 },
  run: async (context) => {
    done.push(`plain ${context.input.n}`)
    await behave(context)
  },
})
const high = defineJob({
  name: 'high',
  input,
  queue: 'high',
  run: async ({ input: { n } }) => void done.push(`high ${n}`),
})
const astray = defineJob({
  name: 'astray',
  input,
  queue: 'nowhere',
  run: async () => void done.push('astray'),
})
const brief = defineJob({
  name: 'brief',
  input,
  timeoutSeconds: 0.05,
  deadlineSeconds: 60,
  retry: { maxAttempts: 5 },
  run: async (context) => behave(context),
})
const dated = defineJob({ name: 'dated', input: z.object({ at: z.date() }), run: async () => undefined })

const bench = createBench([plain, high, astray, brief, dated])
const addUnit = (database: ReturnType<typeof bench.open>['database'], artistId: number) =>
  database
    .insert(artistSales)
    .values({ artistId, units: 1, cents: 0 })
    .onConflictDoUpdate({ target: artistSales.artistId, set: { units: sql`${artistSales.units} + 1` } })
const units = async () =>
  (await bench.rows<{ units: number }>('SELECT units FROM artist_sales WHERE artist_id = 1'))[0]?.units ?? 0
const jobRows = (name = 'plain') =>
  bench.rows<Record<string, never>>(`SELECT * FROM _atoll_jobs WHERE name = '${name}' ORDER BY sequence`)
const deadLetters = () => bench.rows<Record<string, never>>('SELECT * FROM _atoll_dead_letters')

beforeEach(async () => {
  await bench.clear()
  await bench.rows('DELETE FROM artist_sales WHERE artist_id = 1', ['DB'])
  done = []
  behave = async () => undefined
  bench.refuse(false)
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
})
afterEach(() => vi.restoreAllMocks())

describe('a job that is sent', () => {
  it('is committed, relayed, run with its input, and done', async () => {
    const { id, isDuplicate } = await bench.open().jobs.send(plain, { n: 7 })
    expect(isDuplicate).toBe(false)
    expect(await jobRows()).toMatchObject([{ id, state: 'waiting', attempts: 0 }])
    await bench.relay()
    expect(await jobRows()).toMatchObject([{ state: 'sent', attempts: 0 }])
    expect(await bench.deliver(bench.take())).toEqual({ acked: [id], retried: [] })
    expect(done).toEqual(['plain 7'])
    expect(await jobRows()).toMatchObject([{ state: 'done', attempts: 1, due: null, percent: 100 }])
  })

  it('is refused when its schema does not take what would arrive', async () => {
    const { jobs } = bench.open()
    await expect(jobs.send(plain, { n: 'x' } as never)).rejects.toMatchObject({ body: { code: 'JOB002' } })
    // A date arrives as text.
    await expect(jobs.send(dated, { at: new Date() })).rejects.toMatchObject({ body: { code: 'JOB002' } })
    await expect(jobs.send({ name: 'unheard-of' } as never, {} as never)).rejects.toMatchObject({
      body: { code: 'JOB001' },
    })
    expect(await jobRows()).toEqual([])
  })

  it('is given up when its schema does not take what did arrive', async () => {
    await bench.open().jobs.send(plain, { n: 1 })
    await bench.rows(`UPDATE _atoll_jobs SET payload = '{"n":"one"}'`)
    await bench.drain()
    expect(done).toEqual([])
    expect(await deadLetters()).toMatchObject([{ name: 'plain', payload: '{"n":"one"}', attempts: 1 }])
  })

  it('waits for its delay', async () => {
    const before = Date.now()
    await bench.open().jobs.send(plain, { n: 1 }, { delaySeconds: 90 })
    await bench.relay()
    expect(bench.take()).toEqual([])
    const [row] = await jobRows()
    expect(Number(row?.due)).toBeGreaterThanOrEqual(before + 90_000)
    // Nor does a message that comes before its time start it.
    expect((await bench.deliver([String(row?.id)])).acked).toHaveLength(1)
    expect(done).toEqual([])
    await bench.hurry()
    await bench.drain()
    expect(done).toEqual(['plain 1'])
  })

  it('is one with another of the same key, until that one has finished', async () => {
    const { jobs } = bench.open()
    const first = await jobs.send(plain, { n: 1 }, { deduplicationKey: 'k' })
    expect(await jobs.send(plain, { n: 2 }, { deduplicationKey: 'k' })).toEqual({
      id: first.id,
      isDuplicate: true,
    })
    expect((await jobs.send(high, { n: 3 }, { deduplicationKey: 'k' })).isDuplicate).toBe(false)
    await bench.drain()
    expect((await jobs.send(plain, { n: 4 }, { deduplicationKey: 'k' })).isDuplicate).toBe(false)
    await bench.drain()
    expect(done.sort()).toEqual(['high 3', 'plain 1', 'plain 4'])
  })

  it('gives its key up when it starts, if it is told so', async () => {
    const { jobs } = bench.open()
    const options = { deduplicationKey: 'k', deduplicateUntil: 'started' } as const
    behave = async () => {
      behave = async () => undefined
      expect((await jobs.send(plain, { n: 2 }, options)).isDuplicate).toBe(false)
      expect((await jobs.send(plain, { n: 3 }, options)).isDuplicate).toBe(true)
    }
    await jobs.send(plain, { n: 1 }, options)
    await bench.drain()
    expect(done).toEqual(['plain 1', 'plain 2'])
  })

  it('goes by the queue that it names, and by the default one when there is none of that name', async () => {
    const { jobs } = bench.open()
    await jobs.send(plain, { n: 1 })
    await jobs.send(high, { n: 2 })
    await jobs.send(plain, { n: 3 }, { queue: 'high' })
    await jobs.send(astray, { n: 4 })
    await bench.relay()
    expect(bench.queued.map(({ queue }) => queue).sort()).toEqual(['default', 'default', 'high', 'high'])
    await bench.deliver(bench.take())
    expect(done).toHaveLength(4)
  })

  it('lies beside the rows that it is about', async () => {
    const { jobs, shards, nameOf } = bench.open()
    const { id } = await jobs.send(plain, { n: 1 }, { of: 7 })
    const name = nameOf(await shards.of(7)) as string
    expect(id.split('.')[0]).toBe(name)
    behave = async ({ home }) => {
      const [row] = await home.all<{ n: number }>(sql`SELECT count(*) AS n FROM customers WHERE id = 7`)
      done.push(`home has ${row?.n}`)
    }
    await bench.drain()
    expect(done).toEqual(['plain 1', 'home has 1'])
  })

  it('keeps its turn behind those of the same ordering key', async () => {
    const { jobs } = bench.open()
    for (const n of [1, 2, 3]) await jobs.send(plain, { n }, { orderingKey: 'line' })
    await jobs.send(plain, { n: 4 })
    await bench.relay()
    expect(await bench.deliver(bench.take().reverse())).toMatchObject({ acked: { length: 2 } })
    await bench.drain()
    expect(done.filter((one) => one !== 'plain 4')).toEqual(['plain 1', 'plain 2', 'plain 3'])
    await expect(jobs.send(plain, { n: 1 }, { orderingKey: 'k', delaySeconds: 1 })).rejects.toMatchObject({
      body: { code: 'JOB005' },
    })
  })
})

describe('a large payload', () => {
  const text = 'é'.repeat(70_000)

  it('lies in R2 until its job is forgotten', async () => {
    const { id } = await bench.open().jobs.send(plain, { n: 1, text })
    expect(await jobRows()).toMatchObject([{ payload: null }])
    let seen = 0
    behave = async ({ input: { n, ...rest } }) => {
      seen = n * (rest as { text: string }).text.length
    }
    await bench.drain()
    expect(seen).toBe(70_000)
    expect(JSON.parse(await bench.services.payloads.get(id, null))).toEqual({ n: 1, text })
    // However soon it may be forgotten: a Worker that has lost it may run it still, for some minutes.
    await cleanUp(bench.services, { ...bench.engine.config, jobKeepSeconds: 0 }, bench.session(), 'DB', null)
    expect(await jobRows()).toHaveLength(1)
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 1_200_000)
    await cleanUp(bench.services, { ...bench.engine.config, jobKeepSeconds: 0 }, bench.session(), 'DB', null)
    expect(await jobRows()).toEqual([])
    await expect(bench.services.payloads.get(id, null)).rejects.toThrow('is not in R2')
  })

  it('is taken away when its job was never committed', async () => {
    const { database, jobs } = bench.open()
    const broken = database.insert(artistSales).values({ artistId: -1, units: 1, cents: 1 })
    await expect(jobs.sendWith(database, [broken], [sending(plain, { n: 1, text })])).rejects.toThrow()
    const stored = () => bench.services.payloads.list('DB', Date.now() + 1000, null)
    expect((await stored()).ids).toHaveLength(1)
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 2 * 86_400_000)
    await cleanUp(bench.services, bench.engine.config, bench.session(), 'DB', null)
    expect((await stored()).ids).toEqual([])
  })
})

describe('a job that is sent with a write', () => {
  it('is committed with it, and vanishes with it', async () => {
    const { database, jobs } = bench.open()
    const name = database
      .update(artists)
      .set({ name: sql`${artists.name}` })
      .where(eq(artists.id, 1))
      .returning()
    const [rows] = await jobs.sendWith(database, [name], [sending(plain, { n: 1 }), sending(high, { n: 2 })])
    expect(rows).toMatchObject([{ id: 1 }])
    expect(await jobRows()).toHaveLength(1)
    const broken = database.insert(artistSales).values({ artistId: -1, units: 1, cents: 1 })
    await expect(
      jobs.sendWith(database, [addUnit(database, 1), broken], [sending(plain, { n: 3 })]),
    ).rejects.toThrow()
    expect(await jobRows()).toHaveLength(1)
    expect(await units()).toBe(0)
    await bench.drain()
    expect(done.sort()).toEqual(['high 2', 'plain 1'])
  })
})

describe('messages', () => {
  it('that come twice start a job once', async () => {
    const { id } = await bench.open().jobs.send(plain, { n: 1 })
    await bench.relay()
    expect(await bench.deliver([id, id])).toEqual({ acked: [id, id], retried: [] })
    expect(await bench.deliver([id])).toEqual({ acked: [id], retried: [] })
    expect(done).toEqual(['plain 1'])
  })

  it('that are lost are sent again, at longer and longer intervals', async () => {
    await bench.open().jobs.send(plain, { n: 1 })
    const dues: number[] = []
    for (let i = 0; i < 3; i++) {
      await bench.hurry()
      const now = Date.now()
      await bench.relay()
      expect(bench.take()).toHaveLength(1)
      dues.push(Math.round((Number((await jobRows())[0]?.due) - now) / 60_000))
    }
    expect(dues).toEqual([1, 2, 4])
    await bench.hurry()
    await bench.drain()
    expect(done).toEqual(['plain 1'])
  })

  it('of jobs that nobody knows are put away', async () => {
    const ids = ['DB.01ARZ3NDEKTSV4RRFFQ69G5FAV', 'SHARD_99.01ARZ3NDEKTSV4RRFFQ69G5FAV', 'nonsense']
    expect([...(await bench.deliver(ids)).acked].sort()).toEqual(ids.sort())
  })

  it('come again when the database cannot be asked', async () => {
    const broken = { open: () => ({ on: () => Promise.reject(new Error('unreachable')) }) }
    const retried: unknown[] = []
    const message = {
      body: { id: 'DB.1' },
      ack: () => undefined,
      retry: (how: unknown) => void retried.push(how),
    }
    const services = { ...bench.services, cluster: broken as never }
    await runBatch([message], bench.engine, services, () => undefined)
    expect(retried).toEqual([{ delaySeconds: 5 }])
  })

  it('that a queue refuses are put off, and none is lost', async () => {
    const { jobs } = bench.open()
    for (let n = 0; n < 5; n++) await jobs.send(plain, { n })
    bench.refuse(true)
    await bench.relay()
    expect(await jobRows()).toMatchObject(Array.from({ length: 5 }, () => ({ state: 'waiting', sends: 0 })))
    expect(Number((await jobRows())[0]?.due)).toBeGreaterThan(Date.now())
    bench.refuse(false)
    await bench.hurry()
    await bench.drain()
    expect(done.sort()).toEqual(['plain 0', 'plain 1', 'plain 2', 'plain 3', 'plain 4'])
  })

  it('of a Worker that died are sent again when its lease is over', async () => {
    const { id } = await bench.open().jobs.send(plain, { n: 1 })
    await bench.relay()
    // It begins, and is never heard of again.
    await bench.session().on('DB', [claim(bench.take(), 'dead', Date.now(), 60_000)])
    expect((await bench.deliver([id])).acked).toEqual([id])
    expect(done).toEqual([])
    await bench.endLeases()
    await bench.drain()
    expect(done).toEqual(['plain 1'])
    expect(await jobRows()).toMatchObject([{ state: 'done', attempts: 2 }])
  })

  it('of jobs that ran when a Worker died are run one at a time', async () => {
    const { jobs } = bench.open()
    for (let n = 0; n < 4; n++) await jobs.send(plain, { n })
    await bench.relay()
    await bench.session().on('DB', [claim(bench.take(), 'dead', Date.now(), 60_000)])
    await bench.endLeases()
    await bench.relay()
    let running = 0
    let most = 0
    behave = async () => {
      most = Math.max(most, ++running)
      await new Promise((wake) => setTimeout(wake, 5))
      running--
    }
    await bench.deliver(bench.take())
    expect([done.length, most]).toEqual([4, 1])
    expect((await jobRows()).map(({ attempts, lapsed }) => [attempts, lapsed])).toEqual(Array(4).fill([2, 1]))
  })

  it('of a job that kills every Worker end as a dead letter', async () => {
    const { id } = await bench.open().jobs.send(plain, { n: 1 })
    for (let i = 0; i < 3; i++) {
      await bench.endLeases()
      await bench.relay()
      await bench.session().on('DB', [claim(bench.take(), `dead ${i}`, Date.now(), 60_000, { alone: true })])
    }
    await bench.endLeases()
    await bench.drain()
    expect(done).toEqual([])
    expect(await deadLetters()).toMatchObject([
      { id, error: expect.stringContaining('no try came to an end') },
    ])
  })
})

describe('an effect', () => {
  it('happens once, though the job fails behind it', async () => {
    const told: boolean[] = []
    behave = async ({ database, once, attempt }) => {
      told.push(await once([addUnit(database, 1)]))
      if (attempt < 3) throw new Error('behind the effect')
    }
    await bench.open().jobs.send(plain, { n: 1 })
    for (let i = 0; i < 3; i++) {
      await bench.hurry()
      await bench.drain()
    }
    expect(told).toEqual([true, false, false])
    expect(await units()).toBe(1)
    expect(await jobRows()).toMatchObject([{ state: 'done', attempts: 3 }])
  })

  it('happens once when two Workers run the job at the same time', async () => {
    const { id } = await bench.open().jobs.send(plain, { n: 1 })
    const told: boolean[] = []
    behave = async ({ database, once, attempt }) => {
      if (attempt === 1) {
        // The first is slow, and a second takes over meanwhile.
        await bench.endLeases()
        await bench.relay()
        await bench.deliver([id])
      }
      told.push(await once([addUnit(database, 1)]))
    }
    await bench.relay()
    await bench.deliver([id])
    expect(told).toEqual([true, false])
    expect(await units()).toBe(1)
    expect(await jobRows()).toMatchObject([{ state: 'done', attempts: 2 }])
  })

  it('leaves nothing when one of its statements fails, and then happens', async () => {
    behave = async ({ database, once, attempt }) => {
      const broken = database.insert(artistSales).values({ artistId: -1, units: 1, cents: 1 })
      await once(attempt === 1 ? [addUnit(database, 1), broken] : [addUnit(database, 1)])
    }
    await bench.open().jobs.send(plain, { n: 1 })
    await bench.drain()
    expect(await units()).toBe(0)
    await bench.hurry()
    await bench.drain()
    expect(await units()).toBe(1)
  })

  it('must have a name when a job has several, and lies on the database that its statements were made for', async () => {
    const failures: string[] = []
    behave = async ({ database, shards, once }) => {
      await once([addUnit(database, 1)])
      await once([addUnit(database, 1)]).catch((error) => failures.push(String(error)))
      const elsewhere = (await shards.all()).find((shard) => shard !== database)
      if (!elsewhere) throw new Error('there are shards')
      await once([addUnit(elsewhere, 1)], { name: 'b' }).catch((error) => failures.push(String(error)))
    }
    await bench.open().jobs.send(plain, { n: 1 })
    await bench.drain()
    expect(failures).toEqual([
      expect.stringContaining('names them'),
      expect.stringContaining('another database'),
    ])
    expect(await units()).toBe(1)
  })

  it('may be one of several, on other databases than the job’s, and send jobs with it', async () => {
    behave = async ({ input: { n }, database, once, attempt }) => {
      if (n !== 1) return
      await once([addUnit(database, 1)], { of: null, name: 'one', send: [sending(plain, { n: 2 })] })
      await once([addUnit(database, 1)], { of: null, name: 'another' })
      if (attempt === 1) throw new Error('once more')
    }
    const { jobs, shards, nameOf } = bench.open()
    const owners = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(async (of) => nameOf(await shards.of(of))))
    const { id } = await jobs.send(plain, { n: 1 }, { of: owners.findIndex((name) => name !== 'DB') + 1 })
    expect(id).not.toMatch(/^DB\./)
    await bench.drain()
    await bench.hurry()
    await bench.drain()
    expect(await units()).toBe(2)
    expect(done).toEqual(['plain 1', 'plain 2', 'plain 1'])
    const marks = await bench.rows('SELECT * FROM _atoll_job_effects', ['DB'])
    expect(marks).toHaveLength(2)
    const [name] = id.split('.') as [string]
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 1_200_000)
    await cleanUp(bench.services, { ...bench.engine.config, jobKeepSeconds: 0 }, bench.session(), name, null)
    expect(await bench.rows('SELECT * FROM _atoll_job_effects')).toEqual([])
  })

  it('leaves marks that went elsewhere with their rows only until nobody knows the job', async () => {
    const { id } = await bench.open().jobs.send(plain, { n: 1 })
    const [home] = id.split('.') as [string]
    const place = [...bench.services.bindings.keys()].find((name) => name !== home) as string
    const mark = (job: string) => ({
      text: 'INSERT INTO _atoll_job_effects VALUES (?1, ?2, 1000)',
      parameters: [job, 'one'],
    })
    await bench.session().on(place, [mark(id), mark('gone')])
    const marks = async () =>
      (await bench.rows('SELECT job FROM _atoll_job_effects', [home, place])).map(({ job }) => job)
    await cleanUp(bench.services, bench.engine.config, bench.session(), place, null)
    expect(await marks()).toEqual([id])
    await bench.drain()
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 40 * 86_400_000)
    for (const name of [home, place]) {
      await cleanUp(
        bench.services,
        { ...bench.engine.config, jobKeepSeconds: 0 },
        bench.session(),
        name,
        null,
      )
    }
    expect(await marks()).toEqual([])
  })
})

describe('a list of jobs', () => {
  it('has those as well that went to another database, in their order', async () => {
    const ids: string[] = []
    for (let n = 1; n <= 5; n++)
      ids.push((await bench.open().jobs.send(plain, { n }, { delaySeconds: 60 })).id)
    const [home] = (ids[0] as string).split('.') as [string]
    const place = bench.services.cluster.databases.find((name) => name !== home) as string
    const columns = 'id, name, queue, state, due, payload, created'
    const moved = [ids[1], ids[3]] as string[]
    const rows = await bench.rows<Record<string, unknown>>(
      `SELECT ${columns} FROM _atoll_jobs WHERE id IN ('${moved.join("', '")}')`,
      [home],
    )
    await bench.session().on(
      place,
      rows.map((row) => ({
        text: `INSERT INTO _atoll_jobs (${columns}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)`,
        parameters: Object.values(row) as string[],
      })),
    )
    const drop = `DELETE FROM _atoll_jobs WHERE id IN ('${moved.join("', '")}')`
    await bench.session().on(home, [{ text: drop, parameters: [] }])
    const list = async (asked: object) =>
      (await listJobs(bench.services as never, { limit: 10, ...asked })).map(({ id }) => id)
    expect(await list({})).toEqual(ids.toReversed())
    const first = await list({ limit: 2 })
    expect(first).toEqual([ids[4], ids[3]])
    expect(await list({ limit: 2, after: (ids[3] as string).split('.')[1] })).toEqual([ids[2], ids[1]])
    expect(await list({ state: 'dead' })).toEqual([])
    await bench.session().on(place, [{ text: 'DELETE FROM _atoll_jobs', parameters: [] }])
  })
})

describe('a large payload of a job that waits', () => {
  it('stays for as long as the job is there, though it went to another database', async () => {
    const text = 'é'.repeat(70_000)
    const { id } = await bench.open().jobs.send(plain, { n: 1, text })
    const [home] = id.split('.') as [string]
    const place = [...bench.services.bindings.keys()].find((name) => name !== home) as string
    const stored = () => bench.services.payloads.list(home, Date.now() + 1000, null)
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 2 * 86_400_000)
    await cleanUp(bench.services, bench.engine.config, bench.session(), home, null)
    expect((await stored()).ids).toEqual([id])
    await bench.session().on(home, [{ text: 'DELETE FROM _atoll_jobs WHERE id = ?1', parameters: [id] }])
    const staged = `INSERT INTO _atoll_incoming (move, name, key, slot, row) VALUES ('m', '_atoll_jobs', '1', 1, json_array(?1))`
    await bench.session().on(place, [{ text: staged, parameters: [id] }])
    await cleanUp(bench.services, bench.engine.config, bench.session(), home, null)
    expect((await stored()).ids).toEqual([id])
    await bench.session().on(place, [{ text: 'DELETE FROM _atoll_incoming', parameters: [] }])
    await cleanUp(bench.services, bench.engine.config, bench.session(), home, null)
    expect((await stored()).ids).toEqual([])
  })
})

describe('a job that fails', () => {
  it('is tried again later and later, and then lies among the dead letters', async () => {
    behave = async ({ attempt }) => {
      throw new Error(`no luck ${attempt}`)
    }
    const { id } = await bench.open().jobs.send(plain, { n: 1 })
    const delays: number[] = []
    for (let attempt = 1; attempt <= 3; attempt++) {
      const now = Date.now()
      await bench.hurry()
      await bench.drain()
      if (attempt === 3) break
      const [row] = await jobRows()
      expect(row).toMatchObject({ state: 'waiting', attempts: attempt, error: `Error: no luck ${attempt}` })
      delays.push(Number(row?.due) - now)
    }
    expect(delays[0]).toBeGreaterThanOrEqual(5000)
    expect(delays[0]).toBeLessThan(12_000)
    expect(delays[1]).toBeGreaterThanOrEqual(10_000)
    expect(await jobRows()).toEqual([])
    expect(await deadLetters()).toMatchObject([
      { id, name: 'plain', attempts: 3, error: 'Error: no luck 3', payload: '{"n":1}' },
    ])
  })

  it('does not hold up the others of its batch', async () => {
    const { jobs } = bench.open()
    for (let n = 0; n < 6; n++) await jobs.send(plain, { n })
    behave = async ({ input: { n } }) => {
      if (n % 2 === 0) throw new Error('even')
    }
    await bench.relay()
    expect((await bench.deliver(bench.take())).acked).toHaveLength(6)
    expect((await jobRows()).map(({ state }) => state)).toEqual([
      'waiting',
      'done',
      'waiting',
      'done',
      'waiting',
      'done',
    ])
  })

  it('is given up at once when it says so', async () => {
    behave = async () => {
      throw giveUp('the customer is gone')
    }
    await bench.open().jobs.send(plain, { n: 1 })
    await bench.drain()
    expect(await deadLetters()).toMatchObject([{ attempts: 1, error: 'GiveUp: the customer is gone' }])
  })

  it('may say when it is worth another try', async () => {
    behave = async () => {
      throw retryAfter(1234)
    }
    const now = Date.now()
    await bench.open().jobs.send(plain, { n: 1 })
    await bench.drain()
    expect(Math.round((Number((await jobRows())[0]?.due) - now) / 1000)).toBeCloseTo(1234, -1)
  })

  it('is given up when its deadline is over', async () => {
    behave = async () => {
      throw new Error('not yet')
    }
    await bench.open().jobs.send(brief, { n: 1 })
    await bench.rows('UPDATE _atoll_jobs SET deadline = 1')
    await bench.drain()
    expect(await deadLetters()).toMatchObject([{ name: 'brief', error: 'GiveUp: its deadline is over' }])
  })

  it('is stopped when it takes too long', async () => {
    let aborted = false
    behave = ({ signal }) =>
      new Promise((_, fail) => {
        signal.addEventListener('abort', () => {
          aborted = true
          fail(signal.reason)
        })
      })
    await bench.open().jobs.send(brief, { n: 1 })
    await bench.drain()
    expect(aborted).toBe(true)
    expect(await jobRows('brief')).toMatchObject([
      { state: 'waiting', error: 'Error: the job took longer than 0.05 seconds' },
    ])
  })

  it('of an unknown name waits for a Worker that knows it', async () => {
    await bench.open().jobs.send(plain, { n: 1 })
    await bench.rows("UPDATE _atoll_jobs SET name = 'of another version', state = 'sent'")
    const [{ id }] = (await bench.rows<{ id: string }>('SELECT id FROM _atoll_jobs')) as [{ id: string }]
    await bench.deliver([id])
    expect(await jobRows('of another version')).toMatchObject([
      { state: 'waiting', error: 'Error: there is no job of another version' },
    ])
  })
})

describe('long work', () => {
  it('goes on behind the steps that it has done', async () => {
    const steps: string[] = []
    behave = async ({ step, attempt }) => {
      const first = await step('first', async () => {
        steps.push('first')
        return { rows: 3 }
      })
      const second = await step('second', async () => {
        steps.push(`second ${first.rows}`)
        if (attempt === 1) throw new Error('in the second')
        return undefined
      })
      done.push(JSON.stringify([first, second]))
    }
    await bench.open().jobs.send(plain, { n: 1 })
    await bench.drain()
    await bench.hurry()
    await bench.drain()
    expect(steps).toEqual(['first', 'second 3', 'second 3'])
    expect(done.at(-1)).toBe('[{"rows":3},null]')
  })

  it('says how far it is', async () => {
    behave = async ({ progress }) => {
      await progress(40, 'two of five')
      done.push(JSON.stringify((await jobRows()).map(({ percent, note }) => [percent, note])))
    }
    await bench.open().jobs.send(plain, { n: 1 })
    await bench.drain()
    expect(done[1]).toBe('[[40,"two of five"]]')
  })

  it('stops when somebody has cancelled it', async () => {
    behave = async ({ progress, id }) => {
      await bench.rows(`UPDATE _atoll_jobs SET cancel = 1 WHERE id = '${id}'`)
      await progress(50)
      done.push('went on')
    }
    await bench.open().jobs.send(plain, { n: 1 })
    await bench.drain()
    expect(done).toEqual(['plain 1'])
    expect(await jobRows()).toMatchObject([{ state: 'cancelled' }])
  })

  it('is told by its signal, and what a Worker says that has lost it no longer counts', async () => {
    const quick = createBench([plain], { jobLeaseSeconds: 0.15 })
    behave = ({ signal, id, attempt }) =>
      new Promise<void>((end, fail) => {
        if (attempt > 1) return end()
        void quick.rows(`UPDATE _atoll_jobs SET token = 'of another' WHERE id = '${id}'`)
        signal.addEventListener('abort', () => fail(signal.reason))
      })
    await quick.open().jobs.send(plain, { n: 1 })
    await quick.relay()
    await quick.deliver(quick.take())
    expect(await jobRows()).toMatchObject([{ state: 'running', token: 'of another' }])
  })

  it('keeps its lease as long as it runs', async () => {
    const quick = createBench([plain], { jobLeaseSeconds: 0.15 })
    behave = async () => {
      await new Promise((wake) => setTimeout(wake, 600))
      const [row] = await jobRows()
      done.push(Number(row?.due) > Date.now() ? 'held' : 'lost')
    }
    await quick.open().jobs.send(plain, { n: 1 })
    await quick.relay()
    await quick.deliver(quick.take())
    expect(done).toEqual(['plain 1', 'held'])
  })
})
