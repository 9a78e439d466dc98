import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { permittedTexts } from '../../db/cluster/permits.ts'
import { slotOf } from '../../db/cluster/slots.ts'
import { askMany, databases } from '../support/one-and-many.ts'
import { routed } from '../support/routed.ts'
import { clean, first } from '../support/write-client.ts'

const all = Object.values(databases)
const onDB = (...texts: string[]) => databases.DB.batch(texts.map((text) => databases.DB.prepare(text)))
const post = async (path: string, body: object) => {
  const headers = { 'Content-Type': 'application/json' }
  const response = await askMany(path, { method: 'POST', headers, body: JSON.stringify(body) })
  expect([response.status, await response.text()]).toEqual([201, ''])
}
const genres = async () =>
  Promise.all(
    all.map(async (database) => {
      const text = `SELECT id - ${first} AS n, name FROM genres WHERE id >= ${first} ORDER BY id`
      const { results } = await database.prepare(text).all<{ n: number; name: string }>()
      return results.map(({ n, name }) => `${n} ${name}`)
    }),
  )
const everywhere = <Value>(value: Value) => all.map(() => value)

beforeAll(async () => {
  for (const database of all)
    await database.prepare('CREATE UNIQUE INDEX genres_by_name ON genres (name)').run()
})
beforeEach(() => {
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
})
afterAll(async () => {
  await clean()
  for (const database of all) await database.prepare('DROP INDEX genres_by_name').run()
})

describe('copies of reference rows', () => {
  it('follow when unique names are handed on, in a circle or to who is left', async () => {
    await post(
      'genres',
      [1, 2, 3].map((n) => ({ id: first + n, name: `name ${n}` })),
    )
    expect(await genres()).toEqual(everywhere(['1 name 1', '2 name 2', '3 name 3']))
    await onDB(
      `UPDATE genres SET name = 'none' WHERE id = ${first + 1}`,
      `UPDATE genres SET name = 'name 1' WHERE id = ${first + 2}`,
      `UPDATE genres SET name = 'name 2' WHERE id = ${first + 3}`,
      `UPDATE genres SET name = 'name 3' WHERE id = ${first + 1}`,
    )
    await post('genres', { id: first + 4, name: 'name 4' })
    expect(await genres()).toEqual(everywhere(['1 name 3', '2 name 1', '3 name 2', '4 name 4']))
    await onDB(
      `DELETE FROM genres WHERE id = ${first + 1}`,
      `UPDATE genres SET name = 'name 3' WHERE id = ${first + 4}`,
    )
    await post('genres', { id: first + 5, name: 'name 5' })
    expect(await genres()).toEqual(everywhere(['2 name 1', '3 name 2', '4 name 3', '5 name 5']))
    for (const database of all) {
      const twice = permittedTexts([`INSERT INTO genres VALUES (${first + 9}, 'name 5')`])
      await expect(database.batch(twice.map((text) => database.prepare(text)))).rejects.toThrow('UNIQUE')
    }
  })

  it('that a shard refers to stay there when they are deleted behind its back, and others follow', async () => {
    const customer = await databases.SHARD_2.prepare('SELECT min(id) AS id FROM customers').first<number>(
      'id',
    )
    const by = Number(customer)
    const track = { id: first + 1, name: 'x', media_type_id: 1, milliseconds: 1, unit_price: 1 }
    await post('tracks', track)
    const invoice = routed(first, by)
    await post('invoices', { id: invoice, customer_id: by, invoice_date: 'x', total: 1 })
    await post('invoice_items', {
      id: invoice,
      invoice_id: invoice,
      track_id: track.id,
      unit_price: 1,
      quantity: 1,
      customer_id: by,
    })
    expect(slotOf(String(by))).toBeGreaterThan(0)
    await onDB(`DELETE FROM tracks WHERE id = ${track.id}`)
    await post('genres', { id: first + 6, name: 'name 6' })
    expect((await genres()).every((names) => names.includes('6 name 6'))).toBe(true)
    const held = await Promise.all(
      all.map((database) =>
        database.prepare(`SELECT count(*) AS n FROM tracks WHERE id = ${track.id}`).first<number>('n'),
      ),
    )
    expect(held).toEqual([0, 0, 1, 0])
    const item = await askMany(`invoice_items?id=eq.${invoice}&select=quantity,tracks(name)`)
    expect([item.status, await item.json()]).toEqual([200, [{ quantity: 1, tracks: { name: 'x' } }]])
    await databases.SHARD_2.batch(
      permittedTexts([
        `DELETE FROM invoice_items WHERE id = ${invoice}`,
        `DELETE FROM tracks WHERE id = ${track.id}`,
      ]).map((text) => databases.SHARD_2.prepare(text)),
    )
  })
})
