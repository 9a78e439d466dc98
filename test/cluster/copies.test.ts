import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { slotOf } from '../../db/slots/slots.ts'
import { permittedTexts } from '../../db/system/permits.ts'
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
const held = (text: string) => Promise.all(all.map((database) => database.prepare(text).first<number>('n')))
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
    await onDB(...permittedTexts([`DELETE FROM tracks WHERE id = ${track.id}`]))
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

  it('are not taken away while rows begin to refer to them: one of both is refused', async () => {
    const customer = Number(
      await databases.SHARD_1.prepare('SELECT min(id) AS id FROM customers').first<number>('id'),
    )
    const invoice = routed(first + 1, customer)
    await post('invoices', { id: invoice, customer_id: customer, invoice_date: 'x', total: 1 })
    const outcomes = { both: 0, kept: 0, gone: 0 }
    for (let round = 0; round < 12; round++) {
      const track = first + 10 + round
      await post('tracks', { id: track, name: 'x', media_type_id: 1, milliseconds: 1, unit_price: 1 })
      const item = {
        id: routed(first + 10 + round, customer),
        invoice_id: invoice,
        track_id: track,
        unit_price: 1,
        quantity: 1,
        customer_id: customer,
      }
      const wait = (ms: number) => new Promise((done) => setTimeout(done, ms))
      const [made, gone] = await Promise.all([
        wait(round % 4).then(() =>
          askMany('invoice_items', {
            method: 'POST',
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify(item),
          }),
        ),
        wait(round % 3).then(() => askMany(`tracks?id=eq.${track}`, { method: 'DELETE' })),
      ])
      const told = [made.status, gone.status]
      expect([
        [201, 409],
        [409, 204],
        [409, 409],
        // Whoever asks long enough is told which of both it is.
        [503, 204],
      ]).toContainEqual(told)
      outcomes[made.ok && gone.ok ? 'both' : made.ok ? 'kept' : 'gone']++
      const read = await askMany(
        `invoice_items?invoice_id=eq.${invoice}&track_id=eq.${track}&select=tracks(name)`,
      )
      expect([read.status, await read.json()]).toEqual([200, made.ok ? [{ tracks: { name: 'x' } }] : []])
      await Promise.all(all.map((database) => database.prepare('SELECT 1').run()))
    }
    expect(outcomes.both).toBe(0)
    expect(await held('SELECT count(*) AS n FROM _atoll_retiring')).toEqual([0, 0, 0, 0])
    expect(await held('SELECT count(*) AS n FROM _atoll_permits')).toEqual([0, 0, 0, 0])
  })

  it('are no business of plain SQL: what shards may refer to is not deleted by it', async () => {
    await expect(onDB('DELETE FROM tracks WHERE id = 1')).rejects.toThrow('atoll/unretired/tracks')
    await onDB(`DELETE FROM genres WHERE id = ${first + 6}`)
  })
})
