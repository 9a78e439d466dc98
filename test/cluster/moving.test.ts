import { afterAll, describe, expect, it } from 'vitest'
import { pause } from '../../db/cluster/pause.ts'
import { firstRange, moveSlots } from '../support/move-slots.ts'
import { askOver, databases } from '../support/one-and-many.ts'

const json = { 'Content-Type': 'application/json', Prefer: 'atomicity=shard' }
const base = 910_000
const isolates = [askOver(databases), askOver(databases), askOver(databases)]

afterAll(async () => {
  for (const table of ['invoices', 'customers']) {
    await isolates[0]?.(`${table}?id=gte.${base}`, { method: 'DELETE', headers: json })
  }
})

describe('in the middle of a load', () => {
  it('slots move to another database and back, and no write is lost or doubled, no read misses a row', async () => {
    let running = true
    let next = base
    const acknowledged = new Map<number, number>()
    const wrong: string[] = []

    /** Sends until it is not told to come again. */
    const send = async (ask: (typeof isolates)[number], path: string, init?: RequestInit) => {
      for (;;) {
        const response = await ask(path, init)
        if (response.status !== 503 || !running) return response
        await pause(20)
      }
    }
    const write = async (ask: (typeof isolates)[number]) => {
      for (let i = 0; running && i < 200; i++) {
        await pause(5)
        const id = next++
        const row = { id, first_name: 'A', last_name: 'B', email: `${id}@moving.test`, fax: '0' }
        const made = await send(ask, 'customers', {
          method: 'POST',
          headers: json,
          body: JSON.stringify(row),
        })
        if (made.status !== 201) wrong.push(`insert of ${id}: ${made.status} ${await made.text()}`)
        acknowledged.set(id, 0)
        const old = base + Math.floor(Math.random() * (id - base + 1))
        const fax = acknowledged.get(old)
        if (fax === undefined || id % 3 !== 0) continue
        // One writer of a row at a time: what it then is, is known.
        acknowledged.delete(old)
        const by = id % 2 === 0 ? `id=eq.${old}` : `email=eq.${old}@moving.test`
        const body = JSON.stringify({ fax: String(fax + 1) })
        const changed = await send(ask, `customers?${by}`, { method: 'PATCH', headers: json, body })
        if (changed.status !== 204) wrong.push(`update of ${old}: ${changed.status} ${await changed.text()}`)
        acknowledged.set(old, fax + 1)
      }
    }
    const read = async (ask: (typeof isolates)[number]) => {
      for (let i = 0; running && i < 400; i++) {
        await pause(5)
        const known = [...acknowledged.keys()]
        const one = known[Math.floor(Math.random() * known.length)]
        if (one !== undefined) {
          const found = await (await send(ask, `customers?id=eq.${one}&select=id`)).json()
          if (JSON.stringify(found) !== `[{"id":${one}}]`) wrong.push(`${one} is missing`)
        }
        const all = (await (await send(ask, `customers?id=gte.${base}&select=id`)).json()) as { id: number }[]
        const ids = new Set(all.map(({ id }) => id))
        const lost = known.filter((id) => !ids.has(id))
        if (lost.length > 0 || ids.size < all.length)
          wrong.push(`of all: lost ${lost}, ${all.length - ids.size} doubled`)
      }
    }
    const load = Promise.all(isolates.flatMap((ask) => [write(ask), read(ask)]))
    const range = await firstRange('SHARD_1')
    const whileClosed = () => pause(150)
    try {
      for (let i = 0; i < 3; i++) {
        await pause(200)
        await moveSlots(databases, range, 'SHARD_1', 'SHARD_2', whileClosed)
        await pause(200)
        await moveSlots(databases, range, 'SHARD_2', 'SHARD_1', whileClosed)
      }
    } finally {
      running = false
    }
    await load
    expect(wrong).toEqual([])
    expect(acknowledged.size).toBeGreaterThan(30)
    const [ask] = isolates as [(typeof isolates)[number]]
    const rows = (await (await ask(`customers?id=gte.${base}&select=id,fax`)).json()) as {
      id: number
      fax: string
    }[]
    expect(new Map(rows.map(({ id, fax }) => [id, Number(fax)]))).toEqual(
      new Map([...acknowledged].sort(([a], [b]) => a - b)),
    )
  })
})
