import { eq, inArray, sum } from 'drizzle-orm'
import { z } from 'zod'
import { invoiceItems, tracks } from '../../../db/app/schema.ts'
import { defineFunction, rows } from '../../define.ts'

/** The tracks that sold most, of one genre or of all. Every shard counts its own items; the tracks are a reference table. */
export default defineFunction({
  input: z.object({ genre_id: z.int().optional(), count: z.int().min(1).max(100).default(10) }),
  returns: rows(tracks),
  stable: true,
  roles: ['anon', 'authenticated'],
  run: async ({ input, database, shards }) => {
    const counts = await Promise.all(
      (await shards.all()).map((shard) =>
        shard
          .select({ id: invoiceItems.trackId, sold: sum(invoiceItems.quantity) })
          .from(invoiceItems)
          .innerJoin(tracks, eq(tracks.id, invoiceItems.trackId))
          .where(input.genre_id === undefined ? undefined : eq(tracks.genreId, input.genre_id))
          .groupBy(invoiceItems.trackId),
      ),
    )
    const sold = new Map<number, number>()
    for (const { id, sold: part } of counts.flat()) sold.set(id, (sold.get(id) ?? 0) + Number(part))
    const best = [...sold].sort(([a, more], [b, less]) => less - more || a - b).slice(0, input.count)
    const ids = best.map(([id]) => id)
    const found = await database.select().from(tracks).where(inArray(tracks.id, ids))
    return found.sort((a, b) => ids.indexOf(a.id) - ids.indexOf(b.id))
  },
})
