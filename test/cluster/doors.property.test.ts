import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Done, doors, openWorld, type Step, type World } from '../support/doors.ts'
import { databases, prepareAlone } from '../support/one-and-many.ts'
import { countingCalls } from '../support/wrap-database.ts'

const { ALONE } = env as unknown as { ALONE: D1Database }

beforeAll(prepareAlone)

/** What is to be done, with rows named by their place among those that were made. */
const moves = fc.array(
  fc.record({
    kind: fc.constantFrom(
      'add customer',
      'set email',
      'add invoice',
      'add invoice',
      'set total',
      'drop invoice',
      'add receipt',
      'drop receipt',
      'add item of a new track',
    ),
    door: fc.constantFrom(...doors),
    row: fc.nat(50),
    email: fc.nat(6),
    total: fc.integer({ min: 1, max: 999 }),
  }),
  { minLength: 6, maxLength: 22 },
)
type Move = (typeof moves extends fc.Arbitrary<infer Moves> ? Moves : never)[number]

/** The rules in plain words: emails are unique, ids are nobody else's, and what an invoice has goes with it. */
class Oracle {
  readonly customers = new Map<number, string>()
  readonly invoices = new Map<number, { readonly customer: number; readonly total: number }>()
  readonly receipts = new Map<string, { readonly customer: number; readonly invoice: number }>()
  readonly items = new Map<number, { readonly customer: number; readonly invoice: number }>()

  /** The step that a move means now; null when there is no row for it. */
  stepOf({ kind, row, email, total }: Move, run: string): Step | null {
    const pick = <Key, Value>(map: ReadonlyMap<Key, Value>) => [...map][row % Math.max(1, map.size)]
    const address = `${run}-${email}@doors.test`
    const customer = pick(this.customers)?.[0]
    const invoice = pick(this.invoices)
    const receipt = pick(this.receipts)
    switch (kind) {
      case 'add customer':
        return { do: kind, email: address }
      case 'set email':
        return customer === undefined ? null : { do: kind, id: customer, email: address }
      case 'add invoice':
        return customer === undefined ? null : { do: kind, customer, total }
      case 'set total':
        return (invoice && { do: kind, id: invoice[0], customer: invoice[1].customer, total }) || null
      case 'drop invoice':
        return (invoice && { do: kind, id: invoice[0], customer: invoice[1].customer }) || null
      case 'add receipt':
      case 'add item of a new track':
        return (invoice && { do: kind, customer: invoice[1].customer, invoice: invoice[0] }) || null
      default:
        return (receipt && { do: 'drop receipt', id: receipt[0], customer: receipt[1].customer }) || null
    }
  }

  /** Whether the step must be refused; else it is done. */
  refuses(step: Step): boolean {
    if (step.do !== 'add customer' && step.do !== 'set email') return false
    return [...this.customers].some(
      ([id, email]) => email === step.email && !('id' in step && step.id === id),
    )
  }

  did(step: Step, { id }: Done): void {
    switch (step.do) {
      case 'add customer':
        this.customers.set(id as number, step.email)
        break
      case 'set email':
        this.customers.set(step.id, step.email)
        break
      case 'add invoice':
        this.invoices.set(id as number, { customer: step.customer, total: step.total })
        break
      case 'set total':
        this.invoices.set(step.id, { customer: step.customer, total: step.total })
        break
      case 'drop invoice':
        this.invoices.delete(step.id)
        for (const [receipt, { invoice }] of this.receipts)
          if (invoice === step.id) this.receipts.delete(receipt)
        for (const [item, { invoice }] of this.items) if (invoice === step.id) this.items.delete(item)
        break
      case 'add receipt':
        this.receipts.set(id as string, { customer: step.customer, invoice: step.invoice })
        break
      case 'drop receipt':
        this.receipts.delete(step.id)
        break
      default:
        this.items.set(id as number, { customer: step.customer, invoice: step.invoice })
    }
  }
}

let runs = 0

/** A way of reading that tells what it costs. */
interface Reader {
  get(path: string): Promise<unknown>
  /** Calls to databases so far. */
  calls(): number
}

/** Every row is found by each of its keys, alone, and what was dropped by none. */
async function compare(oracle: Oracle, gone: readonly string[], { get, calls }: Reader, isMany: boolean) {
  const read = async (path: string, most: number) => {
    const before = calls()
    const found = await get(path)
    expect(calls() - before, path).toBeLessThanOrEqual(isMany ? most : 1)
    return found
  }
  for (const [id, email] of oracle.customers) {
    expect(await read(`customers?select=id,email&id=eq.${id}`, 1)).toEqual([{ id, email }])
    expect(await read(`customers?select=id&email=eq.${email}`, 2)).toEqual([{ id }])
  }
  for (const [id, { customer, total }] of oracle.invoices) {
    expect(await read(`invoices?select=customer_id,total&id=eq.${id}`, 1)).toEqual([
      { customer_id: customer, total },
    ])
  }
  for (const [id, { customer, invoice }] of oracle.receipts) {
    const row = { customer_id: customer, invoice_id: invoice }
    expect(await read(`receipts?select=customer_id,invoice_id&id=eq.${id}`, 2)).toEqual([row])
  }
  for (const [id, { customer, invoice }] of oracle.items) {
    const row = { customer_id: customer, invoice_id: invoice, tracks: { name: 'Études' } }
    const path = `invoice_items?select=customer_id,invoice_id,tracks(name)&id=eq.${id}`
    expect(await read(path, 1)).toEqual([row])
  }
  for (const path of gone) expect(await get(path), path).toEqual([])
  const ids = [...oracle.customers.keys()]
  if (ids.length === 0) return
  const all = (await get(`invoices?select=id&customer_id=in.(${ids.join()})`)) as { id: number }[]
  expect(new Set(all.map(({ id }) => id))).toEqual(new Set(oracle.invoices.keys()))
}

/** Does the moves, and compares. */
async function live(list: readonly Move[], world: World, reader: Reader, isMany: boolean): Promise<void> {
  const run = `${isMany ? 'many' : 'one'}${++runs}`
  const oracle = new Oracle()
  const gone: string[] = []
  for (const move of [{ ...(list[0] as Move), kind: 'add customer' }, ...list]) {
    const step = oracle.stepOf(move as Move, run)
    if (step === null) continue
    const done = await world.act(move.door, step)
    const what = `${move.door}: ${JSON.stringify(step)} gave ${JSON.stringify(done)}`
    if (oracle.refuses(step)) expect(done.code, what).toBe('23505')
    else {
      expect(done.code, what).toBeNull()
      oracle.did(step, done)
    }
    if (step.do === 'drop invoice') gone.push(`invoices?id=eq.${step.id}`)
    if (step.do === 'drop receipt') gone.push(`receipts?id=eq.${step.id}`)
  }
  await compare(oracle, gone, reader, isMany)
}

describe('rows that are written by any door', () => {
  const seed = Number((env as unknown as Record<string, string>).ATOLL_SEED ?? Date.now() % 1_000_000)

  it.each([
    ['one database', { DB: ALONE }, false],
    ['four databases', databases, true],
  ] as const)('are found by each of their keys, on %s', { timeout: 120_000 }, async (_, own, isMany) => {
    let count = 0
    const world = openWorld(own, true)
    const reader = openWorld(
      countingCalls(own as Record<string, unknown>, () => count++),
      false,
    )
    // One request, so that the map and the check of the schema are known.
    await reader.get('customers?limit=1')
    console.log(`doors: seed ${seed}`)
    await fc.assert(
      fc.asyncProperty(moves, async (list) => {
        await live(list, world, { get: (path) => reader.get(path), calls: () => count }, isMany)
      }),
      { numRuns: 12, seed },
    )
  })
})
