import { afterEach, describe, expect, it, vi } from 'vitest'
import { IsolateBudget } from '../../db/memory/isolate-budget.ts'
import { RecentMap } from '../../db/memory/recent-map.ts'
import { PendingWork } from '../../functions/core/pending-work.ts'
import { readTextOf } from '../../functions/core/read-text.ts'
import { checkBodyOf } from '../../functions/rest/ask/check-body.ts'
import { CompileCache } from '../../functions/rest/shapes/compile-cache.ts'
import { ShapeSketch } from '../../functions/rest/shapes/shape-sketch.ts'

const mapOf = (budget: IsolateBudget, name: string, floorBytes = 0) =>
  new RecentMap<number>({ name, maxEntries: 1_000_000, floorBytes, sizeOf: (_, bytes) => bytes, budget })

describe('the budget of an isolate', () => {
  it('holds whatever its keepers are given, and a flood of one kind displaces its own kind', () => {
    const budget = new IsolateBudget(100_000)
    const [quiet, flooded] = [mapOf(budget, 'quiet'), mapOf(budget, 'flooded')]
    for (let i = 0; i < 20; i++) quiet.set(`q${i}`, 880)
    for (let i = 0; i < 10_000; i++) {
      flooded.set(`f${i}`, 880)
      expect(budget.bytes).toBeLessThanOrEqual(100_000)
    }
    expect(quiet.entries).toBe(20)
    expect(flooded.get('f9999')).toBe(880)
    expect(budget.gauges()).toEqual({
      quiet: { bytes: 20_000, entries: 20 },
      flooded: { bytes: 80_000, entries: 80 },
    })
  })

  it('leaves each its floor when bodies need room', () => {
    const budget = new IsolateBudget(100_000)
    const [kept, other] = [mapOf(budget, 'kept', 30_000), mapOf(budget, 'other')]
    for (let i = 0; i < 50; i++) {
      kept.set(`k${i}`, 880)
      other.set(`o${i}`, 880)
    }
    const pending = new PendingWork(90_000, budget)
    return pending.enter(90_000).then((room) => {
      expect([kept.bytes, other.bytes]).toEqual([30_000, 0])
      room.release()
      expect(pending.bytes).toBe(0)
    })
  })
})

describe('compiled shapes', () => {
  it('are kept once they were answered, and counted in bytes', () => {
    const answered = new ShapeSketch()
    const budget = new IsolateBudget(3_000_000)
    const cache = new CompileCache<string>({ name: 'plans', maxEntries: 100_000, budget })
    let made = 0
    const ask = (key: string, isRefused = false) => {
      cache.getOrMake(
        key,
        () => {
          made++
          return 'x'.repeat(100_000)
        },
        () => answered.has(key),
      )
      if (!isRefused) answered.note(key)
    }
    for (let i = 0; i < 3; i++) ask('often')
    expect(made).toBe(2)
    for (let i = 0; i < 3; i++) ask('refused', true)
    expect(made).toBe(5)
    for (let i = 0; i < 1000; i++) ask(`once ${i}`)
    expect(budget.bytes).toBeLessThan(300_000)
    for (let i = 0; i < 1000; i++) ask(`once ${i}`)
    expect(budget.bytes).toBeLessThanOrEqual(3_000_000)
  })
})

describe('bodies that are worked on', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it('never take more than there is: what does not fit is refused, and one alone always fits', async () => {
    const pending = new PendingWork(10_000_000)
    const first = await pending.enter(30_000_000)
    await expect(pending.grow(first, 1, 0)).resolves.toBeUndefined()
    await expect(pending.enter(8_000_000, 0)).rejects.toMatchObject({
      status: 503,
      body: { code: 'BOUND030' },
      headers: { 'Retry-After': '1' },
    })
    first.release()
    const rooms = await Promise.all(Array.from({ length: 7 }, () => pending.enter(1_000_000)))
    // Small ones have a share that large ones cannot take.
    await expect(pending.enter(1_000_000, 0)).rejects.toMatchObject({ body: { code: 'BOUND030' } })
    await pending.enter(100_000)
    for (const room of rooms) room.release()
    expect(pending.bytes).toBe(100_000)
  })

  it('give their room away when they come so slowly that others wait, and when nobody ends them', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const pending = new PendingWork(10_000_000)
    const [stalled, worked] = [await pending.enter(3_000_000), await pending.enter(3_000_000)]
    let isCleared = false
    stalled.onLost = () => {
      isCleared = true
    }
    worked.read()
    vi.setSystemTime(Date.now() + 11_000)
    await pending.enter(3_000_000)
    expect([stalled.isLost, isCleared, worked.isLost]).toEqual([true, true, false])
    vi.setSystemTime(Date.now() + 61_000)
    await pending.enter(7_000_000)
    expect(worked.isLost).toBe(true)
  })

  const sentBy = (pending: PendingWork, caller: string) => {
    const request = new Request('http://atoll.test/')
    pending.sentBy(request, caller)
    return request
  }

  it('of one caller leave room for those of others, however many they are', async () => {
    const pending = new PendingWork(10_000_000)
    const enter = (caller: string, bytes: number) => pending.enter(bytes, 0, sentBy(pending, caller))
    const fill = async (caller: string, bytes: number) => {
      const before = pending.bytes
      for (;;) {
        try {
          await enter(caller, bytes)
        } catch {
          return pending.bytes - before
        }
      }
    }
    expect(await fill('one', 200_000)).toBe(5_000_000)
    await expect(enter('one', 1_000_000)).rejects.toMatchObject({ body: { code: 'BOUND030' } })
    expect(await fill('another', 200_000)).toBe(2_400_000)
    await enter('a third', 200_000)
    // A server with the secret key is nobody's caller.
    await pending.enter(1_000_000, 0)
  })

  it('wait in a line in which one caller leaves places for others', async () => {
    const pending = new PendingWork(1_000_000)
    const room = await pending.enter(1_000_000)
    const wait = (caller: string) => pending.enter(1000, 200, sentBy(pending, caller)).catch(() => 'refused')
    const waiting = Array.from({ length: 60 }, () => wait('one'))
    expect(pending.waiting).toBe(50)
    waiting.push(wait('another'))
    expect(pending.waiting).toBe(51)
    room.release()
    const results = await Promise.all(waiting)
    expect(results.filter((result) => result === 'refused')).toHaveLength(10)
    expect(pending.waiting).toBe(0)
  })

  it('have room for what is made of them, by the number of their values', async () => {
    const pending = new PendingWork(48_000_000)
    const sized = async (text: string) => {
      const raw = new Request('http://atoll.test/', { method: 'POST', body: text })
      const read = await readTextOf(raw, pending, 10_000_000, () => new Error('too large'))
      const bounds = { bodyBytes: 10_000_000, bodyRows: 1_000_000, bodyValues: 1_000_000 }
      await checkBodyOf(raw, read, true, bounds, pending)
      const { bytes } = pending
      pending.done(raw)
      return bytes
    }
    const list = (value: string) => `[${Array<string>(100_000).fill(value).join(',')}]`
    expect(await sized(`["${'x'.repeat(299_996)}"]`)).toBeLessThan(2_000_000)
    expect(await sized(list('{}'))).toBeGreaterThan(8_000_000)
    expect(await sized(list('9007199254740993'))).toBeGreaterThan(16_000_000)
    expect(pending.bytes).toBe(0)
  })
})
