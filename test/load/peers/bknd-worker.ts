/** `bknd` on D1 in its `code` mode, made once in an isolate. */

import { em, entity, number, text } from 'bknd'
import { createApp, d1Sqlite } from 'bknd/adapter/cloudflare'

/** The tables that are asked, as they are in the database. */
const schema = em({
  tracks: entity('tracks', {
    name: text(),
    album_id: number(),
    media_type_id: number(),
    genre_id: number(),
    composer: text(),
    milliseconds: number(),
    bytes: number(),
    unit_price: number(),
  }),
  albums: entity('albums', { title: text(), artist_id: number() }),
})

type Built = Awaited<ReturnType<typeof createApp>>
let app: Promise<Built> | undefined

export default {
  async fetch(request: Request, env: { DB: D1Database }, context: ExecutionContext) {
    app ??= createApp(
      {
        app: {
          connection: d1Sqlite({ binding: env.DB }),
          config: { data: schema.toJSON() },
          options: { mode: 'code' },
        },
      },
      { env, ctx: context, request },
    )
    return (await app).fetch(request)
  },
}
