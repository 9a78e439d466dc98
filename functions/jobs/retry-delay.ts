import type { RetryPolicy } from './define-job.ts'

/** Milliseconds to wait after a failed try: exponential, and between half of that and all of it by chance. */
export function retryDelayMs(policy: RetryPolicy, attempt: number, random = Math.random()): number {
  const { minDelaySeconds, maxDelaySeconds, factor } = policy
  const delay = Math.min(maxDelaySeconds, minDelaySeconds * factor ** (attempt - 1))
  return Math.round(delay * 1000 * (0.5 + random / 2))
}
