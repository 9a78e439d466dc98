/**
 * Whether what was deployed works: asked of itself, by whoever can write into its database.
 * @module
 */
import { createHash, randomBytes } from 'node:crypto'
import type { MigrationDatabase } from '../../../db/sql/migration-database.ts'
import type { Proof } from '../../proof/area.ts'

const tokenMs = 10 * 60_000

export interface ProofOptions {
  /** Where it answers. */
  readonly url: string
  /** The version that is to answer; null: any. */
  readonly versionId: string | null
  readonly database: MigrationDatabase
  /** How long the version is waited for to answer, and a job to be done. */
  readonly waitSeconds: number
}

/** @returns what does not work, a line each */
export async function proveDeployment({
  url,
  versionId,
  database,
  waitSeconds,
}: ProofOptions): Promise<readonly string[]> {
  const token = randomBytes(32).toString('base64url')
  const hash = createHash('sha256').update(token).digest('hex')
  const value = JSON.stringify({ hash, until: Date.now() + tokenMs })
  await database
    .prepare("INSERT OR REPLACE INTO _atoll_state (key, value) VALUES ('proof', ?)")
    .bind(value)
    .all()
  const end = Date.now() + waitSeconds * 1000
  const asked = await askUntil(url, token, versionId, end)
  if (typeof asked === 'string') return [asked]
  const problems = [
    ...(asked.read === null ? [] : [`a read of the API: ${asked.read}`]),
    ...Object.entries(asked.databases).flatMap(([name, why]) => (why === null ? [] : [`${name}: ${why}`])),
    ...(asked.bucket == null ? [] : [`the bucket: ${asked.bucket}`]),
  ]
  if (asked.job !== undefined && !(await isDone(asked.job, database, end)))
    problems.push('a job through the queue has not been done')
  return problems
}

/** Its answer, once the version that is meant gives it; else why there is none. */
async function askUntil(
  url: string,
  token: string,
  versionId: string | null,
  end: number,
): Promise<Proof | string> {
  for (let waitMs = 250; ; waitMs = Math.min(waitMs * 2, 4000)) {
    const found = await askOnce(url, token)
    if (typeof found !== 'string') {
      if (versionId === null || found.version === null || found.version === versionId) return found
    }
    if (Date.now() + waitMs > end)
      return typeof found === 'string'
        ? found
        : `${url} is answered by the version ${found.version}, and not by ${versionId}`
    await new Promise((done) => setTimeout(done, waitMs))
  }
}

async function askOnce(url: string, token: string): Promise<Proof | string> {
  try {
    const answer = await fetch(new URL('/proof/v1', url), {
      method: 'POST',
      headers: { 'Atoll-Proof': token },
      signal: AbortSignal.timeout(30_000),
    })
    const text = await answer.text()
    if (answer.ok) return JSON.parse(text) as Proof
    return `${url} answers ${answer.status}: ${text.slice(0, 300)}`
  } catch (error) {
    const { cause, message } = error as Error & { cause?: Error }
    return `${url} does not answer: ${cause?.message || message}`
  }
}

async function isDone(id: string, database: MigrationDatabase, end: number): Promise<boolean> {
  for (let waitMs = 200; ; waitMs = Math.min(waitMs * 2, 4000)) {
    const { results } = await database
      .prepare('SELECT state FROM _atoll_jobs WHERE id = ?')
      .bind(id)
      .all<{ state: string }>()
    // What is gone was done, and cleaned up.
    if (results[0] === undefined || results[0].state === 'done') return true
    if (Date.now() + waitMs > end) return false
    await new Promise((done) => setTimeout(done, waitMs))
  }
}
