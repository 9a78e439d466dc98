import { crc32, deflateSync } from 'node:zlib'
import { asc, eq } from 'drizzle-orm'
import { defineFileSeed } from '../define.ts'
import { albums, artists, customers, invoices } from './schema.ts'

/** A cover for each album, and each customer's invoices as text. */
export default defineFileSeed(async ({ databases, put }) => {
  for (const database of databases) {
    const made = await database
      .select({ id: albums.id, title: albums.title, artist: artists.name })
      .from(albums)
      .innerJoin(artists, eq(artists.id, albums.artistId))
      .orderBy(asc(albums.id))
    const bought = await database
      .select({
        id: invoices.id,
        customerId: invoices.customerId,
        total: invoices.total,
        name: customers.lastName,
      })
      .from(invoices)
      .innerJoin(customers, eq(customers.id, invoices.customerId))
    if (database === databases[0]) {
      await Promise.all(made.map(({ id }) => put('covers', `${id}.png`, coverOf(id), 'image/png')))
    }
    await Promise.all(
      bought.map(({ id, customerId, total, name }) =>
        put(
          'invoices',
          `${customerId}/${id}.txt`,
          `Invoice ${id}\n${name}\nTotal ${total.toFixed(2)}\n`,
          'text/plain',
        ),
      ),
    )
  }
})

const side = 24

/** A small picture: rings around a point, in colours of the album's own. */
function coverOf(id: number): Uint8Array {
  const hue = (shift: number) => 128 + 127 * Math.sin(id * 2.4 + shift)
  const rows = Buffer.alloc(side * (side * 3 + 1))
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const ring =
        0.5 + 0.5 * Math.cos(Math.hypot(x - (id % side), y - ((id * 7) % side)) * (0.3 + (id % 5) / 10))
      for (let colour = 0; colour < 3; colour++) {
        rows[y * (side * 3 + 1) + 1 + x * 3 + colour] = Math.round(hue(colour * 2.1) * ring)
      }
    }
  }
  return png(side, side, rows)
}

/** RFC 2083: eight bits of red, green and blue. */
function png(width: number, height: number, rows: Buffer): Uint8Array {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
    length.writeUInt32BE(data.length)
    sum.writeUInt32BE(crc32(body))
    return Buffer.concat([length, body, sum])
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8)
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ])
}
