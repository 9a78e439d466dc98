/** The Worker of the scale runs: counts the calls that a request makes to databases. */
import { createGateway } from '../../functions/gateway.ts'
import tables, { migrations } from './scale-tables.ts'

const gateway = createGateway({ tables, config: {}, migrations: migrations.map(({ name }) => name) })
let calls = 0
let counted: Record<string, unknown> | undefined

function counting(database: D1Database): object {
  return {
    withSession(constraint: string) {
      const session = database.withSession(constraint)
      const wrap = (statement: D1PreparedStatement): object => ({
        inner: statement,
        bind: (...values: unknown[]) => wrap(statement.bind(...values)),
        all: () => {
          calls++
          return statement.all()
        },
      })
      return {
        prepare: (text: string) => wrap(session.prepare(text)),
        batch: (statements: readonly { inner: D1PreparedStatement }[]) => {
          calls++
          return session.batch(statements.map(({ inner }) => inner))
        },
        getBookmark: () => session.getBookmark(),
      }
    },
  }
}

export default {
  async fetch(request: Request, env: Record<string, unknown>, context: ExecutionContext): Promise<Response> {
    counted ??= Object.fromEntries(
      Object.entries(env).map(([name, value]) => [
        name,
        /^(?:DB|SHARD_\d+)$/.test(name) ? counting(value as D1Database) : value,
      ]),
    )
    calls = 0
    const response = await gateway.fetch(request, counted as never, context)
    response.headers.set('X-Database-Calls', String(calls))
    return response
  },
}
