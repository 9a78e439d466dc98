import { describe, expect, it } from 'vitest'
import { isRetryable, translateDatabaseError } from '../../db/cluster/translate-error.ts'
import { leavesOpen } from '../../db/cluster/unknown-outcome.ts'
import { AtollError } from '../../db/errors/atoll-error.ts'

/**
 * Every error that https://developers.cloudflare.com/d1/observability/debug-d1/ lists. Whether it says to try again, and whether a write
 * that met it may have been committed.
 */
const listed: readonly [message: string, isRetried: boolean, isOpen: boolean][] = [
  ['D1 DB reset because its code was updated.', true, true],
  ['Internal error while starting up D1 DB storage caused object to be reset.', true, false],
  ['Network connection lost.', true, true],
  ['Internal error in D1 DB storage caused object to be reset.', true, true],
  ['Cannot resolve D1 DB due to transient issue on remote node.', true, false],
  ["Can't read from request stream because client disconnected.", true, true],
  ['D1 DB storage operation exceeded timeout which caused object to be reset.', false, true],
  ['D1 DB is overloaded. Requests queued for too long.', false, false],
  ['D1 DB is overloaded. Too many requests queued.', false, false],
  ["D1 DB's isolate exceeded its memory limit and was reset.", false, true],
  ['D1 DB exceeded its CPU time limit and was reset.', false, true],
]

describe('an error of D1', () => {
  it.each(listed)('%s is told as passing', (message, isRetried, isOpen) => {
    const error = new Error(`D1_ERROR: ${message}`)
    const told = translateDatabaseError('DB', error)
    expect(told).toBeInstanceOf(AtollError)
    expect(told).toMatchObject({
      status: 503,
      body: { code: 'SHARD002' },
      headers: { 'Retry-After': '1' },
      cause: error,
    })
    expect([isRetryable(error), leavesOpen(error, told)]).toEqual([isRetried, isOpen])
  })

  it('says what a query used up when that made the database start anew', () => {
    const told = translateDatabaseError(
      'SHARD_1',
      new Error("D1_ERROR: D1 DB's isolate exceeded its memory limit and was reset."),
    )
    expect(told).toMatchObject({
      body: { details: 'A query beyond its memory limit made it start anew.' },
    })
  })

  it('that nobody lists is internal', () => {
    const told = translateDatabaseError('DB', new Error('D1_ERROR: the moon is full'))
    expect(told).toMatchObject({ status: 500, body: { code: 'XX000' } })
  })
})
