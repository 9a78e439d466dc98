import { Hono } from 'hono'
import { artists } from '../../../db/app/schema.ts'
import { broadcasting, type RouteEnv } from '../../define.ts'

/** Says something in the channel `news`: at once, and with an artist that is written. */
export default new Hono<RouteEnv>().post('/:name', async (c) => {
  const { database, jobs, realtime } = c.var
  const name = c.req.param('name')
  await realtime.send('news', 'at once', { name })
  const write = database.insert(artists).values({ name })
  await jobs.sendWith(database, [write], [broadcasting('news', 'with a write', { name })])
  return c.body(null, 204)
})
