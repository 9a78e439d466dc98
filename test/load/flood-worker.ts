/** The Worker of the run `flood`: the data API twice, with the watchdog and without it; neither has answers cached. */

import { createGateway } from '../../functions/gateway.ts'
import tables from '../fixture-app/db/app/tables.ts'
import rpc from '../fixture-app/functions/app/rpc/index.ts'

const watched = createGateway({ tables, functions: rpc, config: { cache: false } })
const unwatched = createGateway({
  tables,
  functions: rpc,
  config: { cache: false, databaseShare: { anon: null, authenticated: null } },
})

export default {
  fetch(request: Request, env: never, context: ExecutionContext) {
    const url = new URL(request.url)
    const [, first = ''] = url.pathname.split('/', 2)
    url.pathname = url.pathname.slice(first.length + 1)
    // Local servers see one address; these visitors say which they would have.
    const asked = new Request(url, request)
    const address = request.headers.get('x-address')
    if (address !== null) asked.headers.set('cf-connecting-ip', address)
    return (first === 'off' ? unwatched : watched).fetch(asked, env, context)
  },
}
