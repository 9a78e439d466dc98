/**
 * Active checks: whether an origin answers as it should.
 * @module
 */
import type { HealthCheck } from './declarations.ts'
import type { OriginTarget } from './origin.ts'

export const defaultCheck = {
  intervalSeconds: 5,
  timeoutMs: 2000,
  rise: 2,
  fall: 3,
  status: [200, 299] as const,
}

/** So much of a body is searched, in bytes. */
const searchedBytes = 65_536

/** @returns what is wrong; null: nothing */
export async function checkOrigin(target: OriginTarget, check: HealthCheck): Promise<string | null> {
  const { path, timeoutMs, status, body: expected } = { ...defaultCheck, ...check }
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    const answer = await fetch(new URL(path, target.url), {
      headers: { 'User-Agent': 'atoll-health-check', ...target.headers },
      redirect: 'manual',
      signal,
      cf: { cacheTtl: -1 },
    } as RequestInit)
    const [lowest, highest] = status
    if (answer.status < lowest || answer.status > highest) {
      await answer.body?.cancel()
      return `it answered ${answer.status}`
    }
    if (expected === undefined) {
      await answer.body?.cancel()
      return null
    }
    return (await readStart(answer)).includes(expected) ? null : 'its answer lacks the expected text'
  } catch (error) {
    return signal.aborted
      ? `no answer in ${timeoutMs} ms`
      : `no answer: ${error instanceof Error ? error.message : error}`
  }
}

async function readStart(answer: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of answer.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    bytes += chunk.byteLength
    if (bytes >= searchedBytes) break
  }
  return text
}

/** What checks have found of an origin lately. */
export interface Health {
  readonly isHealthy: boolean
  /** Checks in a row that say otherwise. */
  readonly streak: number
  /** What was wrong with the last check; null: nothing. */
  readonly problem: string | null
  /** Milliseconds since 1970. */
  readonly checkedAt: number
}

/** As HAProxy has it: `fall` failures in a row make it ill, `rise` successes well. */
export function nextHealth(
  before: Health | undefined,
  problem: string | null,
  check: HealthCheck,
  now: number,
): Health {
  const { rise, fall } = { ...defaultCheck, ...check }
  // The first check of an origin says what it is.
  if (before === undefined) return { isHealthy: problem === null, streak: 0, problem, checkedAt: now }
  const agrees = (problem === null) === before.isHealthy
  if (agrees) return { ...before, streak: 0, problem, checkedAt: now }
  const streak = before.streak + 1
  const turns = streak >= (before.isHealthy ? fall : rise)
  return {
    isHealthy: turns ? !before.isHealthy : before.isHealthy,
    streak: turns ? 0 : streak,
    problem,
    checkedAt: now,
  }
}
