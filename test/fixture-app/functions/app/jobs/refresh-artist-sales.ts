import { eq, inArray, sql } from 'drizzle-orm'
import { albums, artistSales, tracks } from '../../../db/app/schema.ts'
import { changes, defineJob, type RowChange } from '../../define.ts'

type Values = RowChange['new']

/** Keeps what each artist has sold. Items lie on all shards, the sums in `DB`: each change adds its difference, once. */
export default defineJob({
  name: 'refresh-artist-sales',
  on: changes('invoice_items', ['insert', 'update', 'delete']),
  run: async ({ input, database, once }) => {
    const parts = [partOf(input.old, -1), partOf(input.new, 1)].filter((part) => part !== null)
    const ids = parts.map(({ trackId }) => trackId)
    const artists = await database
      .select({ trackId: tracks.id, artistId: albums.artistId })
      .from(tracks)
      .innerJoin(albums, eq(albums.id, tracks.albumId))
      .where(inArray(tracks.id, ids))
    const artistOf = new Map(artists.map(({ trackId, artistId }) => [trackId, artistId]))
    const additions = parts.flatMap(({ trackId, units, cents }) => {
      const artistId = artistOf.get(trackId)
      if (artistId === undefined) return []
      const added = {
        units: sql`${artistSales.units} + ${units}`,
        cents: sql`${artistSales.cents} + ${cents}`,
      }
      return [
        database
          .insert(artistSales)
          .values({ artistId, units, cents })
          .onConflictDoUpdate({ target: artistSales.artistId, set: added }),
      ]
    })
    if (additions.length > 0) await once(additions, { of: null })
  },
})

function partOf(item: Values, sign: 1 | -1) {
  if (item === null) return null
  const units = Number(item.quantity) * sign
  return { trackId: Number(item.track_id), units, cents: Math.round(Number(item.unit_price) * 100) * units }
}
