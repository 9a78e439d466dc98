/**
 * How often something may be tried. Cloudflare's limits count a location's requests and roughly; what guards passwords and codes is counted
 * exactly, in a table, and before anything is compared, so that requests at the same time do not slip through together.
 * @module
 */
import type { Row } from '../../db/sql/statement.ts'
import { errors } from './errors.ts'
import { type AuthVisit, networkOf } from './visit.ts'

const failurePeriodMs = 15 * 60_000
const hourMs = 3_600_000

/** What has come of counting one more. */
export interface Counted {
  readonly count: number
  /** Until the count begins anew, in seconds. */
  readonly seconds: number
}

/** Counts one more of something, and says how many there are in the period. */
export async function countOne(
  { database, services: { authSecrets }, now }: Pick<AuthVisit, 'database' | 'services' | 'now'>,
  kind: string,
  of: string,
  periodMs: number,
): Promise<Counted> {
  const id = await authSecrets.hash('attempts', kind, of)
  const [rows = []] = await database.at(id, [
    {
      text: `INSERT INTO auth_attempts (id, count, until) VALUES (?1, 1, CAST(?2 AS INTEGER))
        ON CONFLICT (id) DO UPDATE SET count = iif(until <= CAST(?3 AS INTEGER), 1, count + 1),
        until = iif(until <= CAST(?3 AS INTEGER), excluded.until, until) RETURNING count, until`,
      parameters: [id, String(now + periodMs), String(now)],
    },
  ])
  const { count, until } = rows[0] as Row
  return { count: Number(count), seconds: Math.max(1, Math.ceil((Number(until) - now) / 1000)) }
}

/** Takes back what was counted: all of it, or one. */
async function forget(
  { database, services: { authSecrets } }: Pick<AuthVisit, 'database' | 'services'>,
  kind: string,
  of: string,
  isAll: boolean,
): Promise<void> {
  const id = await authSecrets.hash('attempts', kind, of)
  const text = isAll
    ? 'DELETE FROM auth_attempts WHERE id = ?1'
    : 'UPDATE auth_attempts SET count = count - 1 WHERE id = ?1 AND count > 0'
  await database.at(id, [{ text, parameters: [id] }])
}

/**
 * Counts a try of a password or code against the account and the address, whether or not there is such an account. It counts as failed until
 * `succeeded` is called.
 *
 * @param account what was typed in as the account
 * @throws 429 when there were too many
 */
export async function countTry(visit: AuthVisit, account: string): Promise<{ succeeded(): void }> {
  const { failuresPerAccount, failuresPerAddress } = visit.terms.rateLimits
  const network = networkOf(visit)
  const [ofAccount, ofAddress] = await Promise.all([
    countOne(visit, 'failures-account', account, failurePeriodMs),
    countOne(visit, 'failures-address', network, failurePeriodMs),
  ])
  if (ofAccount.count > failuresPerAccount) throw errors.requestRate(ofAccount.seconds)
  if (ofAddress.count > failuresPerAddress) throw errors.requestRate(ofAddress.seconds)
  return {
    succeeded() {
      visit.later(
        Promise.all([
          forget(visit, 'failures-account', account, true),
          forget(visit, 'failures-address', network, false),
        ]).catch(() => undefined),
      )
    },
  }
}

/** Counts an account that is to be made. @throws 429 when an address has made too many */
export async function countSignUp(visit: AuthVisit): Promise<void> {
  const { count, seconds } = await countOne(visit, 'sign-ups', networkOf(visit), hourMs)
  if (count > visit.terms.rateLimits.signUpsPerAddress) throw errors.requestRate(seconds)
}

/**
 * Counts a mail or text message to an address, whether or not it has an account.
 *
 * @throws 429 when there were too many, or the last one was a moment ago
 */
export async function countSending(visit: AuthVisit, what: 'email' | 'sms', to: string): Promise<void> {
  const { sentPerHour, sentEverySeconds } = visit.terms.rateLimits
  const refused = what === 'email' ? errors.emailRate : errors.smsRate
  // Who develops tries often, and nothing is sent.
  const pauseSeconds = sentEverySeconds ?? (visit.services.catchesMail ? 0 : 60)
  if (pauseSeconds > 0) {
    const { count, seconds } = await countOne(visit, `sent-${what}`, to, pauseSeconds * 1000)
    if (count > 1) throw refused(seconds)
  }
  const { count, seconds } = await countOne(visit, `sent-hour-${what}`, to, hourMs)
  if (count > sentPerHour) throw refused(seconds)
}
