import { eq } from 'drizzle-orm'
import { Hono } from 'hono'
import { z } from 'zod'
import { albums, artists } from '../../../db/app/schema.ts'
import { type RouteEnv, refuse } from '../../define.ts'

/** The label on an album's spine: `POST /functions/v1/label {"album_id": 1}`. */
export default new Hono<RouteEnv>().post('/', async (c) => {
  const body = z.object({ album_id: z.int() }).safeParse(await c.req.json().catch(() => null))
  if (!body.success) throw refuse(400, '22023', 'album_id must be an integer')
  const [album] = await c.var.database
    .select({ title: albums.title, artist: artists.name })
    .from(albums)
    .innerJoin(artists, eq(artists.id, albums.artistId))
    .where(eq(albums.id, body.data.album_id))
  if (!album) throw refuse(404, 'P0002', 'no such album')
  return c.json({
    label: `${album.artist}: ${album.title}`,
    store: (c.env as { readonly STORE_NAME?: string }).STORE_NAME ?? 'the record store',
    for: c.var.caller.role,
  })
})
