import type { Schema } from '../../../db/catalog/schemas.ts'
import type { CoreConfig } from '../../core/config.ts'
import { Timing } from '../../core/timing.ts'
import { errors } from '../errors.ts'
import { methodsOfView } from '../plan/through-view.ts'

/** OPTIONS without CORS: which methods a table answers. */
export function allow(schema: Schema, config: CoreConfig, name: string): Response {
  const table = schema.tables.get(name)
  if (!table) throw errors.noTable(schema.name, name, null)
  const ofTable = ['POST', ...(table.primaryKey.length > 0 ? ['PUT'] : []), 'PATCH', 'DELETE']
  const methods = table.kind === 'table' ? ofTable : methodsOfView(table)
  const writes = methods.map((method) => `,${method}`).join('')
  return allowed(writes, config)
}

export function allowed(writes: string, config: CoreConfig): Response {
  const response = new Response(null, { status: 200, headers: { Allow: `OPTIONS,GET,HEAD${writes}` } })
  return Timing.of(response, config.serverTiming)
}
