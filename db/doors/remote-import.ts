/**
 * D1's import: a file of statements that D1 fetches and carries out in one transaction, during which the database answers nobody.
 * Its statements end where SQLite says that they end. What wrangler does for `d1 execute --remote --file`.
 * @module
 */
import { createHash, randomUUID } from 'node:crypto'
import { ask, type CloudflareApi, upload } from './cloudflare-api.ts'
import { RemoteError, UnknownOutcomeError } from './remote-error.ts'

interface ImportAnswer {
  readonly success: boolean
  readonly status?: 'complete' | 'error'
  readonly error?: string
  readonly errors?: readonly string[]
  readonly at_bookmark?: string
  readonly filename?: string
  readonly upload_url?: string
}

export interface ImportOptions {
  /** Path of the database below the API's base. */
  readonly path: string
  /** The database's name. */
  readonly name: string
  readonly timeoutMs: number
}

const longestImportMs = 30 * 60_000

/** @param statements without parameters, and without semicolons at their ends */
export async function importStatements(
  api: CloudflareApi,
  statements: readonly string[],
  { path, name, timeoutMs }: ImportOptions,
): Promise<void> {
  // Another file each time: D1 begins at once with one that it knows. The comment is part of no statement that is kept.
  const text = `-- ${randomUUID()}\n${statements.map(ended).join('')}`
  const etag = createHash('md5').update(text).digest('hex')
  const what = `the import into ${name}`
  const call = async (body: object, mayRepeat: boolean) => {
    const request = { method: 'POST', path: `${path}/import`, body, what, mayRepeat, timeoutMs } as const
    return (await ask<ImportAnswer>(api, request)).result
  }
  const { upload_url: address, filename } = await call({ action: 'init', etag }, true)
  if (address === undefined) throw new RemoteError(`Cloudflare gave no address for ${what}.`)
  await upload(address, text, what, timeoutMs)
  let answer = await call({ action: 'ingest', filename, etag }, false)
  const end = Date.now() + longestImportMs
  for (let waitMs = 100; ; waitMs = Math.min(waitMs * 2, 5000)) {
    if (!answer.success || answer.status === 'error') throw failure(answer, what)
    if (answer.status === 'complete') return
    if (Date.now() > end)
      throw new UnknownOutcomeError(what, new RemoteError(`${what} has not come to an end.`))
    await new Promise((done) => setTimeout(done, waitMs))
    try {
      answer = await call({ action: 'poll', current_bookmark: answer.at_bookmark }, true)
    } catch (error) {
      throw error instanceof RemoteError ? new UnknownOutcomeError(what, error) : error
    }
  }
}

/** SQLite keeps what stands before the semicolon as a table's text, so only a comment is given a line of its own. */
function ended(statement: string): string {
  return /--[^\n]*$/.test(statement) ? `${statement}\n;\n` : `${statement};\n`
}

function failure({ error, errors = [] }: ImportAnswer, what: string): Error {
  const message = error ?? errors.join('\n')
  // It answers so when the import has ended in the meantime, well or not.
  if (/Not currently importing/i.test(message)) return new UnknownOutcomeError(what, new RemoteError(message))
  return new Error(message || `${what} failed, and Cloudflare does not say why.`)
}
