/**
 * `@supabase/lite` on D1, as its documentation shows it for Cloudflare Workers: an app for each request. One that is kept for an isolate is
 * faster at first, and hangs after some thousands of requests.
 */
import { App } from '@supabase/lite'
import { d1 } from '@supabase/lite/workerd'

export default {
  fetch(request: Request, env: { DB: D1Database }) {
    const app = new App({
      connection: d1({ binding: env.DB }),
      api: { max_rows: 1000 },
      options: { server: { apiKeys: false, cors: false } },
    })
    return app.fetch(request)
  },
}
