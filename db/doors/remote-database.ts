/**
 * A database where it is deployed, over D1's REST API: for migrations.
 * Source: https://developers.cloudflare.com/api/resources/d1/subresources/database/methods/query/
 * @module
 */
import {
  type BoundStatement,
  bindValues,
  inlineValues,
  onlyReads,
  type SqlValue,
} from '../sql/bind-values.ts'
import type { MigrationDatabase, MigrationStatement } from '../sql/migration-database.ts'
import { isPunctuation, tokensOf } from '../sql/sql-tokens.ts'
import { ask, type CloudflareApi } from './cloudflare-api.ts'
import { RemoteError } from './remote-error.ts'
import { importStatements } from './remote-import.ts'

export interface RemoteDatabase {
  readonly api: CloudflareApi
  readonly accountId: string
  readonly id: string
  /** For messages. */
  readonly name: string
  /** How long an answer is waited for. D1 itself gives a query 30 seconds. */
  readonly readTimeoutMs?: number
  readonly writeTimeoutMs?: number
}

/** What D1 answers for each statement. */
export interface RemoteResult<Row = unknown> {
  readonly success: boolean
  readonly results: Row[]
  readonly meta: { readonly size_after?: number; readonly rows_read?: number; readonly rows_written?: number }
  readonly error?: string
}

type Run = (statements: readonly RemoteStatement[]) => Promise<RemoteResult[]>

class RemoteStatement implements MigrationStatement {
  readonly text: string
  readonly values: readonly SqlValue[]
  readonly #run: Run

  constructor(text: string, values: readonly SqlValue[], run: Run) {
    this.text = text
    this.values = values
    this.#run = run
  }

  bind(...values: SqlValue[]): RemoteStatement {
    return new RemoteStatement(this.text, values, this.#run)
  }

  async all<Row>(): Promise<RemoteResult<Row>> {
    return (await this.#run([this]))[0] as RemoteResult<Row>
  }
}

/**
 * What SQLite says of a statement has D1's own words for its message (`UNIQUE constraint failed: …`). All else is a
 * {@link RemoteError}, and an {@link UnknownOutcomeError} when something that writes may have been carried out.
 */
export function remoteDatabase(database: RemoteDatabase): MigrationDatabase {
  const run: Run = async (statements) => {
    if (statements.length === 0) return []
    const bound = statements.map(({ text, values }) => bindValues(text, values))
    try {
      return await query(database, bound)
    } catch (error) {
      if (!wasCut(error, bound)) throw error
      await importStatements(database.api, bound.map(inlineValues), {
        path: pathOf(database),
        name: database.name,
        timeoutMs: database.writeTimeoutMs ?? writeTimeoutMs,
      })
      return statements.map(() => ({ success: true, results: [], meta: {} }))
    }
  }
  return {
    prepare: (text) => new RemoteStatement(text, [], run),
    batch: (statements) => run(statements as RemoteStatement[]),
  }
}

const readTimeoutMs = 60_000
const writeTimeoutMs = 5 * 60_000

const pathOf = ({ accountId, id }: RemoteDatabase) => `/accounts/${accountId}/d1/database/${id}`

/** One statement, or several in one transaction. */
async function query(database: RemoteDatabase, bound: readonly BoundStatement[]): Promise<RemoteResult[]> {
  const mayRepeat = bound.every(({ sql }) => onlyReads(sql))
  const bodies = bound.map(({ sql, params }) => (params.length === 0 ? { sql } : { sql, params }))
  try {
    const { result } = await ask<RemoteResult[]>(database.api, {
      method: 'POST',
      path: `${pathOf(database)}/query`,
      body: bodies.length === 1 ? bodies[0] : { batch: bodies },
      what: `${bound.length === 1 ? 'a statement' : `a batch of ${bound.length} statements`} on ${database.name}`,
      mayRepeat,
      timeoutMs: mayRepeat
        ? (database.readTimeoutMs ?? readTimeoutMs)
        : (database.writeTimeoutMs ?? writeTimeoutMs),
    })
    const failed = result.find(({ success }) => success === false)
    if (failed) throw new Error(failed.error ?? `D1 reports that a statement failed on ${database.name}.`)
    return result
  } catch (error) {
    throw (error instanceof RemoteError && saidBySqlite(error)) || error
  }
}

/** D1's code for whatever went wrong with a query. */
const queryFailed = 7500

function saidBySqlite(error: RemoteError): Error | null {
  const [fault, ...others] = error.faults
  if (error.name !== 'RemoteError' || fault === undefined || others.length > 0) return null
  if (error.status !== 400 || fault.code !== queryFailed || isOfService.test(fault.message)) return null
  return new Error(fault.message.replace(/^D1_ERROR: /, ''), { cause: error })
}

/** Of all that has this code, what is not about the statement. */
const isOfService =
  /D1 DB|D1's (?:free tier|maximum)|Exceeded maximum DB size|Network connection lost|internal error|caused object to be reset/i

/**
 * Whether D1 has cut a statement in two. It splits what it is sent, and is seen to end a trigger at an END of a CASE, and
 * not to know a `begin` in small letters: https://github.com/cloudflare/workers-sdk/issues/15314. Nothing was carried out
 * then, and an import takes the same statement as it is.
 */
function wasCut(error: unknown, bound: readonly BoundStatement[]): boolean {
  if (!(error instanceof Error) || !/incomplete input|did not contain a statement/i.test(error.message))
    return false
  return bound.some(({ sql }) => tokensOf(sql).some((token) => isPunctuation(token, ';')))
}
