/** The Worker of the scale runs: counts the calls that a request makes to databases. */
import { createGateway } from '../../functions/gateway.ts'
import { countingCalls } from '../support/wrap-database.ts'
import tables, { migrations } from './scale-tables.ts'

const gateway = createGateway({
  tables,
  config: { cache: false },
  migrations: migrations.map(({ name }) => name),
})
let calls = 0
let counted: Record<string, unknown> | undefined

export default {
  async fetch(request: Request, env: Record<string, unknown>, context: ExecutionContext): Promise<Response> {
    counted ??= countingCalls(env, () => calls++)
    calls = 0
    const response = await gateway.fetch(request, counted as never, context)
    response.headers.set('X-Database-Calls', String(calls))
    return response
  },
}
