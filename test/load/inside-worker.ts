/**
 * The Worker of the run `inside`: the data API with and without its cache, and routes that ask it many times for one answer: by `api`,
 * or as one has to without it, by a client over `fetch`.
 */

import { PostgrestClient } from '@supabase/postgrest-js'
import { type Context, Hono } from 'hono'
import { type DataClient, type RouteEnv, refuse } from '../../functions/define.ts'
import { createGateway } from '../../functions/gateway.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { anyTables } from '../support/any-tables.ts'

/** A route that asks for a track, again and again. */
function askingBy(clientOf: (c: Context<RouteEnv>) => DataClient) {
  return new Hono<RouteEnv>().get('/', async (c) => {
    const [times, id] = [Number(c.req.query('times')), Number(c.req.query('id'))]
    const client = clientOf(c)
    for (let i = 0; i < times; i++) {
      const { data } = await anyTables(client).from('tracks').select().eq('id', id)
      if (data?.[0]?.id !== id) throw refuse(500, 'P0001', 'another answer')
    }
    return c.json(times)
  })
}

const gatewayFor = (name: string, cache: boolean) =>
  createGateway({
    tables,
    config: { cache },
    routes: {
      inside: askingBy((c) => c.var.api.asCaller),
      fetch: askingBy((c) => {
        const address = `${new URL(c.req.url).origin}/${name}/rest/v1`
        const headers = { apikey: c.req.header('apikey') ?? '' }
        return new PostgrestClient(address, { headers, retry: false }) as DataClient
      }),
    },
  })
const gateways = { cached: gatewayFor('cached', true), uncached: gatewayFor('uncached', false) }

export default {
  async fetch(request: Request, env: never, context: ExecutionContext): Promise<Response> {
    const url = new URL(request.url)
    const [, name = ''] = url.pathname.split('/', 2)
    url.pathname = url.pathname.slice(name.length + 1)
    return gateways[name as keyof typeof gateways].fetch(new Request(url, request), env, context)
  },
}
