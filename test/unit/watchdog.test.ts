import { describe, expect, it, vi } from 'vitest'
import { KnownTexts } from '../../db/cluster/known-texts.ts'
import { TimeLedger } from '../../db/cluster/time-ledger.ts'
import { type Run, Watchdog } from '../../db/cluster/watchdog.ts'
import { seededRandom } from '../support/seeded-random.ts'

const share = { caller: 0.05, shape: 0.2, role: 0.4 }
const payer = (caller: string) => ({ caller, role: 'anon', share })

/** A watchdog in virtual time, and calls that take as long as they are said to. */
function setUp() {
  let now = 0
  const refused: string[] = []
  const watchdog = new Watchdog({
    slowMs: 25,
    windowMs: 60_000,
    now: () => now,
    onRefused: (_database, by) => void refused.push(by),
  })
  const run = async (caller: string, text: string, ms: number, database = 'DB') => {
    const entered = await watchdog.enter(database, payer(caller), [text])
    now += ms
    watchdog.ended(entered, [ms])
  }
  const pass = (ms: number) => {
    now += ms
  }
  return { watchdog, refused, run, pass }
}

describe('the ledger of a database’s time', () => {
  it('lets nobody take more than their share of any time and of one window', () => {
    const seed = Math.floor(Math.random() * 2 ** 32)
    const random = seededRandom(seed)
    const [windowMs, part] = [1000, 0.2]
    const ledger = new TimeLedger(windowMs, 100)
    const taken: { at: number; ms: number }[] = []
    /** The same by hand: what is owed is paid off at the share's pace, and never below nothing. */
    let [owed, at, now] = [0, 0, 0]
    for (let i = 0; i < 2000; i++) {
      now += Math.floor(random() * 300)
      owed = Math.max(0, owed - (now - at) * part)
      at = now
      const free = ledger.freeInMs('a', now)
      expect(free, `seed ${seed}`).toBeCloseTo(Math.max(0, (owed - windowMs * part) / part), 3)
      if (free > 0) continue
      const ms = 1 + Math.floor(random() * 100)
      ledger.take('a', ms, part, now)
      owed += ms
      taken.push({ at: now, ms })
    }
    for (let from = 0; from < taken.length; from += 7) {
      let sum = 0
      for (const { at: end, ms } of taken.slice(from)) {
        const length = end - (taken[from]?.at ?? 0)
        expect(sum, `seed ${seed}`).toBeLessThanOrEqual(part * (length + windowMs) + 1e-6)
        sum += ms
      }
    }
  })
})

describe('the watchdog', () => {
  it('never refuses what is fast', async () => {
    const { run, refused } = setUp()
    for (let i = 0; i < 5000; i++) await run('a', `q${i % 7}`, 5)
    expect(refused).toEqual([])
  })

  it('counts what is not slow against a caller who keeps others waiting at a busy database, and only there', async () => {
    vi.useFakeTimers()
    const beside = async (queriesASecond: number, ms: number) => {
      let refused = 0
      const watchdog = new Watchdog({ slowMs: 100, windowMs: 60_000, onRefused: () => refused++ })
      const served = { greedy: 0, honest: 0 }
      const ask = async (caller: 'greedy' | 'honest', text: string, tookMs: number) => {
        const run = await watchdog.enter('DB', payer(caller), [text])
        await new Promise((done) => setTimeout(done, tookMs))
        watchdog.ended(run, [tookMs])
        served[caller]++
      }
      for (let i = 0; i < 30 * queriesASecond; i++) {
        const waits = watchdog.enter('DB', payer('honest'), ['by id'])
        void ask('greedy', 'count', ms).catch(() => undefined)
        await vi.advanceTimersByTimeAsync(1000 / queriesASecond)
        watchdog.ended(await waits, [1])
        served.honest++
      }
      return { ...served, refused }
    }
    // Forty queries of 20 ms take four fifths of the database.
    const busy = await beside(40, 20)
    expect(busy.honest).toBe(1200)
    expect(busy.greedy).toBeLessThan(300)
    // Ten of them leave it time.
    expect(await beside(10, 20)).toEqual({ greedy: 300, honest: 300, refused: 0 })
    vi.useRealTimers()
  })

  it('refuses a caller who has had their share, and lets others and what is fast go on', async () => {
    const { run } = setUp()
    await run('a', 'fast', 1)
    for (let i = 0; i < 6; i++) await run('a', `slow ${i}`, 600)
    const refusal = { status: 503, body: { code: 'BOUND020' } }
    await expect(run('a', 'slow 7', 600)).rejects.toMatchObject(refusal)
    await expect(run('a', 'slow 1', 600)).rejects.toMatchObject(refusal)
    await run('a', 'fast', 1)
    await run('b', 'slow 1', 600)
    await run('a', 'slow 7', 600, 'SHARD_1')
  })

  it('tells when the share is free again, and lets the caller go on then', async () => {
    const { run, pass } = setUp()
    await run('a', 'slow', 10_000)
    const error = await run('a', 'slow', 1).catch((thrown) => thrown)
    const seconds = Number(error.headers['Retry-After'])
    expect(seconds).toBe(140)
    pass((seconds - 2) * 1000)
    await expect(run('a', 'slow', 1)).rejects.toMatchObject({ status: 503 })
    pass(2000)
    await run('a', 'slow', 1)
  })

  it('refuses a statement that many callers are slow with, and never for one caller alone', async () => {
    const { run, refused } = setUp()
    await run('a', 'slow', 25_000)
    await run('b', 'slow', 30)
    for (let i = 0; i < 20 && refused.length === 0; i++) {
      await run(`c${i}`, 'slow', 3000).catch(() => undefined)
    }
    expect(refused).toEqual(['shape'])
    await run('new', 'another', 30)
  })

  it('refuses all of a caller whose fast statements turn out slow after their share is taken', async () => {
    const { run } = setUp()
    for (let i = 0; i < 5; i++) await run('a', `fast ${i}`, 1)
    await run('a', 'slow', 10_000)
    for (let i = 0; i < 3; i++) await run('a', `fast ${i}`, 500)
    await expect(run('a', 'fast 4', 1)).rejects.toMatchObject({ status: 503 })
    await run('b', 'fast 4', 1)
  })

  it('lets a slow statement run alone, and the others wait for it', async () => {
    const { watchdog, run } = setUp()
    await run('a', 'slow', 100)
    const first = (await watchdog.enter('DB', payer('a'), ['slow'])) as Run
    const second = watchdog.enter('DB', payer('b'), ['slow'])
    expect(second).toBeInstanceOf(Promise)
    watchdog.ended(first, [100])
    const entered = await second
    expect(entered.payer?.caller).toBe('b')
    watchdog.leave(entered)
  })

  it('refuses a statement of which one has not come back, until it does', async () => {
    const { watchdog, run } = setUp()
    const entered = (await watchdog.enter('DB', payer('a'), ['stuck'])) as Run
    watchdog.late(entered)
    await expect(run('b', 'stuck', 1)).rejects.toMatchObject({ body: { code: 'BOUND020' } })
    await run('b', 'another', 1)
    watchdog.ended(entered, [1])
    await run('b', 'stuck', 1)
  })

  it('keeps so much and no more of ten thousand hostile callers and statements', async () => {
    const { watchdog, run, pass } = setUp()
    for (let i = 0; i < 10_000; i++) {
      await run(`caller ${i} ${'x'.repeat(2000)}`, `statement ${i} ${'y'.repeat(5000)}`, i % 2 === 0 ? 30 : 1)
      // Not so fast that the role's share is taken, which would bound it as well.
      pass(100)
    }
    expect(watchdog.kept.entries).toBeLessThanOrEqual(20_000)
    expect(watchdog.kept.texts).toBeLessThanOrEqual(4000)
  })

  it('knows texts bounded in characters, the latest of them', () => {
    const known = new KnownTexts(1000, 16_000)
    for (let i = 0; i < 10_000; i++) known.add(`${i} ${'x'.repeat(900)}`)
    known.add('y'.repeat(1001))
    expect(known.has(`9999 ${'x'.repeat(900)}`)).toBe(true)
    expect(known.has('y'.repeat(1001))).toBe(false)
    expect(known.size).toBeLessThanOrEqual(36)
  })
})
