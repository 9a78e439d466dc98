/** The Worker of the scale runs: counts the calls that a request makes to databases. */
import { createGateway } from '../../functions/gateway.ts'
import { wrapDatabase } from '../support/wrap-database.ts'
import tables, { migrations } from './scale-tables.ts'

const gateway = createGateway({
  tables,
  config: { cache: false },
  migrations: migrations.map(({ name }) => name),
})
let calls = 0
let counted: Record<string, unknown> | undefined

const counting = (database: D1Database) =>
  wrapDatabase((constraint) => {
    const session = database.withSession(constraint)
    return {
      session,
      getBookmark: () => session.getBookmark(),
      around: (call) => {
        calls++
        return call()
      },
    }
  })

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
