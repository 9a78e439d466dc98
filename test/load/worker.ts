/** Atoll, and Atoll without its cache of compiled statements; neither has answers cached. */

import { createGateway } from '../../functions/gateway.ts'
import tables from '../fixture-app/db/app/tables.ts'

const atoll = createGateway({ tables, config: { cache: false } })
const forgetful = createGateway({ tables, config: { cache: false, compiledShapes: 0 } })

export default {
  fetch(request: Request, env: never, context: ExecutionContext) {
    const url = new URL(request.url)
    const isForgetful = url.pathname.startsWith('/forgetful')
    url.pathname = url.pathname.replace(/^\/(?:forgetful|plain)/, '')
    return (isForgetful ? forgetful : atoll).fetch(new Request(url, request), env, context)
  },
}
