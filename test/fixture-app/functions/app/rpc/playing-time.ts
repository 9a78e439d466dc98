import { eq, sum } from 'drizzle-orm'
import { z } from 'zod'
import { playlistTracks, tracks } from '../../../db/app/schema.ts'
import { defineFunction, scalar } from '../../define.ts'

/** Minutes that a playlist plays. */
export default defineFunction({
  input: z.object({ playlist_id: z.int() }),
  returns: scalar,
  stable: true,
  roles: ['anon', 'authenticated'],
  run: async ({ input, database }) => {
    const [row] = await database
      .select({ milliseconds: sum(tracks.milliseconds) })
      .from(playlistTracks)
      .innerJoin(tracks, eq(tracks.id, playlistTracks.trackId))
      .where(eq(playlistTracks.playlistId, input.playlist_id))
    return Math.round(Number(row?.milliseconds ?? 0) / 60_000)
  },
})
