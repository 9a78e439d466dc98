import { expect, it } from 'vitest'
import { Coalescer } from '../../functions/core/coalescer.ts'

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms))

it('gives nobody what was begun before they came, and shares the rest', async () => {
  const coalescer = new Coalescer<number>(1000)
  let begun = 0
  const work = async () => {
    const number = ++begun
    await pause(20)
    return number
  }
  const first = coalescer.run('a', work)
  await pause(5)
  const later = Array.from({ length: 50 }, () => coalescer.run('a', work))
  expect(await first).toBe(1)
  await pause(5)
  const last = coalescer.run('a', work)
  expect(new Set(await Promise.all(later))).toEqual(new Set([2]))
  expect(await last).toBe(3)
  expect(await coalescer.run('b', work)).toBe(4)
})

it('hands on an error to those who share it, and begins anew', async () => {
  const coalescer = new Coalescer<number>(1000)
  const failing = async () => {
    await pause(5)
    throw new Error('no')
  }
  const both = await Promise.allSettled([coalescer.run('a', failing), coalescer.run('a', failing)])
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(await coalescer.run('a', async () => 1)).toBe(1)
})

it('waits for no work that never ends', async () => {
  const coalescer = new Coalescer<number>(40)
  void coalescer.run('a', () => new Promise(() => undefined))
  const begun = Date.now()
  const others = await Promise.all([1, 2, 3].map((n) => coalescer.run('a', async () => n)))
  expect(others.every((n) => n >= 1)).toBe(true)
  expect(Date.now() - begun).toBeLessThan(1000)
})
