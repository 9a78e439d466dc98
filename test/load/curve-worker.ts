/** The Worker of the curves: one table that is asked, uncached and cached, alone and among five hundred with policies for others. */
import { eq } from 'drizzle-orm'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { defineTables, local } from '../../db/define.ts'
import { createGateway } from '../../functions/gateway.ts'
import tables, { migrations } from './scale-tables.ts'

const others = Object.fromEntries(
  Array.from({ length: 500 }, (_, i) => {
    const table = sqliteTable(`other_${i}`, {
      id: integer('id').primaryKey(),
      owner: text('owner').notNull(),
    })
    const roles = Array.from({ length: 10 }, (_, role) => [
      `role_${role}`,
      {
        select: ({ caller, row }: { caller: { sub: unknown }; row: typeof table }) =>
          eq(row.owner, caller.sub as string),
      },
    ])
    return [`other${i}`, local(table, { access: Object.fromEntries(roles) as never })]
  }),
)
const names = migrations.map(({ name }) => name)
const gateways = {
  uncached: createGateway({ tables, config: { cache: false }, migrations: names }),
  cached: createGateway({ tables, config: {}, migrations: names }),
  crowded: createGateway({
    tables: defineTables({ ...tables, ...others } as never),
    config: { cache: false },
    migrations: names,
  }),
}

/** One database of many, asked without anything between. */
async function bare([, , shard = '0', account = '']: readonly string[], env: Record<string, D1Database>) {
  const database = env[shard === '0' ? 'DB' : `SHARD_${shard}`] as D1Database
  const { results } = await database.prepare('SELECT * FROM events WHERE account = ?').bind(account).all()
  return Response.json(results)
}

export default {
  async fetch(request: Request, env: never, context: ExecutionContext) {
    const url = new URL(request.url)
    const parts = url.pathname.split('/')
    const name = parts[1] ?? ''
    if (name === 'bare') return bare(parts, env)
    url.pathname = url.pathname.slice(name.length + 1)
    const gateway = gateways[name as keyof typeof gateways]
    return gateway ? gateway.fetch(new Request(url, request), env, context) : new Response('[]')
  },
}
