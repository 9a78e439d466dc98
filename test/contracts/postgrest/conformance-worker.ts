/**
 * The Worker that PostgREST's cases run against: the suite's schema, and a configuration that a variable names.
 * @module
 */
import type { ColumnSources } from '../../../db/define.ts'
import type { Env } from '../../../functions/areas.ts'
import { createGateway } from '../../../functions/gateway.ts'
import { type Configured, configurePath } from './configured.ts'
import { conformanceFunctions, type Description } from './conformance-functions.ts'
import { type Computed, conformanceTables, type Privileges } from './conformance-tables.ts'

interface ConformanceEnv extends Env {
  /** JSON of the names of tables that lie on several databases. */
  readonly CONFORMANCE_SPREAD: string
}

export function createConformanceWorker(
  schema: Readonly<Record<string, unknown>>,
  sources: Readonly<Record<string, ColumnSources>>,
  privileges: Privileges,
  described: { readonly functions: readonly Description[]; readonly computed: readonly Computed[] },
) {
  let current:
    | { readonly gateway: ReturnType<typeof createGateway>; readonly env: ConformanceEnv }
    | undefined
  return {
    async fetch(request: Request, env: ConformanceEnv, context: ExecutionContext) {
      if (new URL(request.url).pathname === configurePath) {
        const { config, jwtSecret } = await request.json<Configured>()
        const spread = JSON.parse(env.CONFORMANCE_SPREAD) as string[]
        const tables = conformanceTables(schema, sources, privileges, described.computed, spread)
        const gateway = createGateway({
          tables,
          functions: conformanceFunctions(described.functions, tables),
          // The suite puts its rows back behind the Worker, where no change log is kept. Some of its cases change all rows.
          config: { cache: false, safeUpdate: false, ...config },
        })
        current = { gateway, env: { ...env, ATOLL_JWT_SECRET: jwtSecret } }
        return new Response()
      }
      if (current === undefined) throw new Error('it is not configured')
      return current.gateway.fetch(request, current.env, context)
    },
  }
}
