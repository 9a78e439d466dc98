import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { afterStoreTime, Patience, withinStoreTime } from '../../functions/cache/store-time.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('time that the store takes', () => {
  it('is over when it has passed, and not once it was stopped', () => {
    const late = vi.fn()
    afterStoreTime(50, late)
    const stop = afterStoreTime(60, late)
    vi.advanceTimersByTime(49)
    expect(late).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(late).toHaveBeenCalledTimes(1)
    stop()
    vi.advanceTimersByTime(1000)
    expect(late).toHaveBeenCalledTimes(1)
  })

  it('is not what an isolate stood still for', async () => {
    let answer: (text: string) => void = () => undefined
    const given = withinStoreTime(
      50,
      new Promise<string>((done) => {
        answer = done
      }),
    )
    // For half a second nothing was heard of; then the timer comes first, and the answer after it.
    vi.setSystemTime(Date.now() + 500)
    await vi.advanceTimersByTimeAsync(10)
    answer('here')
    expect(await given).toBe('here')
  })

  it('ends a call that is silent, with an error, and leaves no clock behind', async () => {
    const patience = new Patience(50)
    const call = (ms: number) =>
      patience.of(() => {
        const signal = patience.signal()
        return new Promise<string>((done, failed) => {
          signal.addEventListener('abort', () => failed(signal.reason))
          setTimeout(() => done('here'), ms)
        })
      })
    const [slow, quick] = [call(200), call(20)]
    const failed = expect(slow).rejects.toThrow('takes too long')
    await vi.advanceTimersByTimeAsync(20)
    expect(await quick).toBe('here')
    await vi.advanceTimersByTimeAsync(30)
    await failed
    // Of the call that has ended: what it was to answer, later.
    expect(vi.getTimerCount()).toBe(1)
  })
})
