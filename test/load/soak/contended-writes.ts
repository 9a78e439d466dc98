/**
 * Writes of honest clients that others are in the way of: unique values that several want, and rows that are deleted while others begin
 * to refer to them.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { routed } from '../../support/routed.ts'
import { firstTrack, type World } from './world.ts'

/** How many values clients take and give up. */
const emails = 40
const addressOf = (n: number) => `soak${n}@soak.test`

function pick<T>(from: readonly T[], chance: () => number): T {
  return from[Math.floor(chance() * from.length)] as T
}

/** Takes a unique value, gives one up, or changes one for another; others do the same. */
export async function claim(world: World, chance: () => number): Promise<void> {
  const held = [...world.ledger.holders].filter(([, { isLeaving }]) => !isLeaving)
  const wanted = addressOf(Math.floor(chance() * emails))
  const [email, holder] = held.length === 0 ? [] : pick(held, chance)
  const drawn = chance()
  if (drawn < 0.45 || holder === undefined || email === undefined) return take(world, wanted)
  holder.isLeaving = true
  const { asker, ledger, secret } = world
  const path = `/rest/v1/customers?id=eq.${holder.id}`
  const isChange = drawn > 0.7 && wanted !== email
  const sent = isChange
    ? { kind: 'change unique value', method: 'PATCH', path, body: { email: wanted }, headers: secret }
    : { kind: 'delete unique value', method: 'DELETE', path, headers: secret }
  const { outcome } = await asker.write(sent, crypto.randomUUID())
  const now = ledger.holders.get(email)
  if (outcome === 'done') {
    if (now === holder) ledger.holders.delete(email)
    if (isChange) holds(world, wanted, holder.id)
  }
  if (outcome === 'refused') {
    holder.isLeaving = false
    if (now !== holder) asker.tally.violate(`${email} has another holder than ${holder.id}, who has it`)
  }
}

async function take(world: World, email: string): Promise<void> {
  const { asker, secret } = world
  const body = { first_name: 'Soak', last_name: 'Test', email }
  const headers = { ...secret, prefer: 'return=representation' }
  const sent = {
    kind: 'take unique value',
    method: 'POST',
    path: '/rest/v1/customers?select=id',
    body,
    headers,
  }
  const { outcome, told } = await asker.write(sent, crypto.randomUUID())
  if (outcome === 'done') holds(world, email, (JSON.parse(told.text) as { id: number }[])[0]?.id as number)
}

function holds({ asker, ledger }: World, email: string, id: number): void {
  const before = ledger.holders.get(email)
  if (before !== undefined && !before.isLeaving)
    asker.tally.violate(`${email} is given to ${id}, and ${before.id} has it`)
  ledger.holders.set(email, { id, isLeaving: false })
}

/** Makes a track, then takes it away while another row begins to refer to it. */
export async function refer(world: World, chance: () => number): Promise<void> {
  const { asker, ledger, secret, invoices } = world
  const number = ledger.next++
  const track = firstTrack + number
  const [customer, invoice] = pick([...invoices], chance)
  const item = routed(track, customer)
  const body = { id: track, name: `soak ${number}`, media_type_id: 1, milliseconds: 1, unit_price: 1 }
  const made = await asker.write(
    { kind: 'make track', method: 'POST', path: '/rest/v1/tracks', body, headers: secret },
    crypto.randomUUID(),
  )
  if (made.outcome !== 'done') return
  const [one, other] = [chance() * 10, chance() * 10]
  const [put, gone] = await Promise.all([
    sleep(one).then(() =>
      asker.write(
        {
          kind: 'refer to track',
          method: 'POST',
          path: '/rest/v1/invoice_items',
          body: {
            id: item,
            invoice_id: invoice,
            track_id: track,
            unit_price: 1,
            quantity: 1,
            customer_id: customer,
          },
          headers: secret,
        },
        crypto.randomUUID(),
      ),
    ),
    sleep(other).then(() =>
      asker.write(
        { kind: 'delete track', method: 'DELETE', path: `/rest/v1/tracks?id=eq.${track}`, headers: secret },
        crypto.randomUUID(),
      ),
    ),
  ])
  ledger.referrals.push({ track, item, made: put.outcome, gone: gone.outcome })
  if (put.outcome === 'done' && gone.outcome === 'done')
    asker.tally.violate(`track ${track} is gone, and item ${item} refers to it: both were acknowledged`)
}
