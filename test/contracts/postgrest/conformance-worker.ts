/**
 * The Worker that PostgREST's cases run against: the suite's schema, and a configuration that a variable names.
 * @module
 */
import type { ColumnSources } from '../../../db/define.ts'
import type { AtollConfig, Env } from '../../../functions/areas.ts'
import { createGateway } from '../../../functions/gateway.ts'
import { conformanceTables } from './conformance-tables.ts'

interface ConformanceEnv extends Env {
  /** JSON of the configuration. */
  readonly CONFORMANCE_CONFIG: string
  /** JSON of the names of tables that lie on several databases. */
  readonly CONFORMANCE_SPREAD: string
}

export function createConformanceWorker(
  schema: Readonly<Record<string, unknown>>,
  sources: Readonly<Record<string, ColumnSources>>,
) {
  let gateway: ReturnType<typeof createGateway> | undefined
  return {
    fetch(request: Request, env: ConformanceEnv, context: ExecutionContext) {
      gateway ??= createGateway({
        tables: conformanceTables(schema, sources, JSON.parse(env.CONFORMANCE_SPREAD) as string[]),
        // The suite puts its rows back behind the Worker, where no change log is kept.
        config: { cache: false, ...(JSON.parse(env.CONFORMANCE_CONFIG) as Partial<AtollConfig>) },
      })
      return gateway.fetch(request, env, context)
    },
  }
}
