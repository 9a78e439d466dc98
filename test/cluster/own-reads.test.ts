import { env } from 'cloudflare:workers'
import { eq } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { slotOf } from '../../db/slots/slots.ts'
import { engineOf, servicesFor } from '../../functions/areas.ts'
import { openAppDatabases } from '../../functions/own-code/app-databases.ts'
import { app } from '../fixture-app/app.ts'
import { customers } from '../fixture-app/db/app/schema.ts'
import { firstRange, moveSlots } from '../support/move-slots.ts'
import { databases } from '../support/one-and-many.ts'

it('gives own code rows where they are, though its isolate has not heard that they moved', async () => {
  const engine = engineOf(app)
  const services = servicesFor(engine)(env as never)
  const range = await firstRange('SHARD_1')
  const { results } = await databases.SHARD_1.prepare('SELECT id FROM customers').all<{ id: number }>()
  const id = results.find((row) => {
    const slot = slotOf(String(row.id))
    return slot >= range.first && slot <= range.last
  })?.id as number
  expect(id).toBeDefined()
  const own = openAppDatabases(services, engine.catalog, () => undefined)
  const shard = await own.shards.of(id)
  const read = async () => [
    await shard.select({ id: customers.id }).from(customers).where(eq(customers.id, id)),
    await shard.all<{ id: number }>(`SELECT id FROM customers WHERE id = ${id}`),
    await shard.batch([shard.select({ id: customers.id }).from(customers).where(eq(customers.id, id))]),
  ]
  const found = [[{ id }], [{ id }], [[{ id }]]]
  expect(await read()).toEqual(found)
  await moveSlots(databases, range, 'SHARD_1', 'SHARD_2')
  try {
    // Otherwise a row that is there would be taken for one that was deleted.
    expect(await read()).toEqual(found)
    expect(own.nameOf(shard)).toBe('SHARD_1')
    // What is written finds them, too.
    const { fax } = (await databases.SHARD_2.prepare('SELECT fax FROM customers WHERE id = ?')
      .bind(id)
      .first<{ fax: string | null }>()) ?? { fax: null }
    const set = (to: string | null) =>
      shard.update(customers).set({ fax: to }).where(eq(customers.id, id)).returning({ fax: customers.fax })
    expect(await set('moved along')).toEqual([{ fax: 'moved along' }])
    expect(await set(fax)).toEqual([{ fax }])
    const anew = await own.shards.of(id)
    expect(own.nameOf(anew)).toBe('SHARD_2')
  } finally {
    await moveSlots(databases, range, 'SHARD_2', 'SHARD_1')
  }
})
