import { desc, eq, getTableColumns, sum } from 'drizzle-orm'
import { z } from 'zod'
import { invoiceItems, tracks } from '../../../db/app/schema.ts'
import { defineFunction, rows } from '../../define.ts'

/** The tracks that sold most, of one genre or of all. */
export default defineFunction({
  input: z.object({ genre_id: z.int().optional(), count: z.int().min(1).max(100).default(10) }),
  returns: rows(tracks),
  stable: true,
  roles: ['anon', 'authenticated'],
  run: ({ input, database }) =>
    database
      .select(getTableColumns(tracks))
      .from(tracks)
      .innerJoin(invoiceItems, eq(invoiceItems.trackId, tracks.id))
      .where(input.genre_id === undefined ? undefined : eq(tracks.genreId, input.genre_id))
      .groupBy(tracks.id)
      .orderBy(desc(sum(invoiceItems.quantity)), tracks.id)
      .limit(input.count),
})
