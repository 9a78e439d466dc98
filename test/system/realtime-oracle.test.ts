import { createClient, type RealtimeChannel, type SupabaseClient } from '@supabase/supabase-js'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { publishableKey, secretKey, startTestServer, type TestServer } from '../support/local-server.ts'
import { seededRandom } from '../support/seeded-random.ts'

const jwtSecret = 'a-secret-of-the-tests-that-is-long-enough'
/** `ATOLL_REALTIME_STEPS=500 ATOLL_SEED=7` plays longer, or the same again. */
const steps = Number(process.env.ATOLL_REALTIME_STEPS ?? 40)
const seed = Number(process.env.ATOLL_SEED ?? Date.now() % 1_000_000)

let server: TestServer
beforeAll(async () => {
  server = await startTestServer({ variables: { ATOLL_JWT_SECRET: jwtSecret }, isQuiet: true })
})
afterAll(() => server.stop())

interface Invoice {
  readonly id: number
  readonly customer_id: number
  readonly total: number
}

/** One who follows invoices, goes away at times, and comes back to where it left off. */
interface Follower {
  readonly client: SupabaseClient
  readonly sees: (invoice: Pick<Invoice, 'customer_id'>) => boolean
  readonly passes: (invoice: Invoice) => boolean
  readonly filter: { since: string | null; readonly filter?: string }
  readonly told: { readonly type: string; readonly row: Invoice | null; readonly id: number }[]
  channel: RealtimeChannel | null
}

async function follow(follower: Follower): Promise<void> {
  const channel = follower.client.channel(crypto.randomUUID())
  follower.channel = channel
  await follower.client.realtime.setAuth()
  const asked = { event: '*', schema: 'public', table: 'invoices', ...follower.filter } as const
  await new Promise<void>((resolve, reject) => {
    channel
      .on('postgres_changes', asked, ({ eventType, new: row, old }) => {
        const known = row as Invoice
        const id = eventType === 'DELETE' ? (old as Invoice).id : known.id
        follower.told.push({ type: eventType, row: eventType === 'DELETE' ? null : known, id })
      })
      .on('system', {}, ({ position, status, message }) => {
        if (status === 'error') reject(new Error(message))
        if (position) {
          follower.filter.since = position
          resolve()
        }
      })
      .subscribe()
  })
}

it(`tells each follower what it may see, all of it, and in the order of each row (seed ${seed})`, {
  timeout: 60_000 + steps * 1000,
}, async () => {
  const random = seededRandom(seed)
  const pick = <One>(list: readonly One[]) => list[Math.floor(random() * list.length)] as One
  const writer = createClient(server.address, secretKey)
  const { data: customers } = await writer.from('customers').select('id, support_rep_id').limit(8)
  const reps = new Map(
    (customers ?? []).map(({ id, support_rep_id }) => [id as number, support_rep_id as number]),
  )
  const ids = [...reps.keys()]

  const followerOf = async (role: string, sub: number, least: number | null): Promise<Follower> => {
    const token = await new SignJWT({ role, sub: String(sub) })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(jwtSecret))
    return {
      client: createClient(server.address, publishableKey, { accessToken: async () => token }),
      sees: ({ customer_id }) => (role === 'support' ? reps.get(customer_id) === sub : customer_id === sub),
      passes: ({ total }) => least === null || total >= least,
      filter: { since: null, ...(least === null ? {} : { filter: `total=gte.${least}` }) },
      told: [],
      channel: null,
    }
  }
  const followers = [
    await followerOf('authenticated', pick(ids), null),
    await followerOf('authenticated', pick(ids), 10),
    await followerOf('support', pick([...reps.values()]), null),
    await followerOf('support', pick([...reps.values()]), 10),
    await followerOf('authenticated', 999_999, null),
  ]
  await Promise.all(followers.map(follow))

  const rows = new Map<number, Invoice>()
  const deleted = new Map<number, Invoice>()
  let version = 0
  for (let step = 0; step < steps; step++) {
    const dice = random()
    if (dice < 0.15) {
      const follower = pick(followers)
      if (follower.channel === null) await follow(follower)
      else {
        await follower.client.removeChannel(follower.channel)
        follower.channel = null
      }
      continue
    }
    const row = rows.size === 0 || dice < 0.45 ? null : pick([...rows.values()])
    // Later versions are larger but for the filter's sake, which looks at the tens.
    const total = Math.floor(random() * 2) * 10 + ++version / 1000
    if (row === null) {
      const invoice = { customer_id: pick(ids), invoice_date: '2026-01-02', total }
      const { data, error } = await writer
        .from('invoices')
        .insert(invoice)
        .select('id, customer_id, total')
        .single()
      expect(error).toBeNull()
      rows.set((data as Invoice).id, data as Invoice)
    } else if (dice < 0.85) {
      expect((await writer.from('invoices').update({ total }).eq('id', row.id)).error).toBeNull()
      rows.set(row.id, { ...row, total })
    } else {
      expect((await writer.from('invoices').delete().eq('id', row.id)).error).toBeNull()
      rows.delete(row.id)
      deleted.set(row.id, row)
    }
  }
  for (const follower of followers) if (follower.channel === null) await follow(follower)

  /** What a follower has in the end, of what it was told. */
  const lastOf = ({ told }: Follower) => new Map(told.map(({ id, row }) => [id, row?.total ?? null]))
  for (const follower of followers) {
    await vi.waitFor(
      () => {
        const last = lastOf(follower)
        for (const row of rows.values()) {
          if (follower.sees(row) && follower.passes(row))
            expect([row.id, last.get(row.id)]).toEqual([row.id, row.total])
        }
        for (const row of deleted.values()) {
          if (follower.sees(row)) expect([row.id, last.get(row.id)]).toEqual([row.id, null])
        }
      },
      { timeout: 20_000, interval: 50 },
    )
    const all = new Map([...deleted, ...rows])
    const versions = new Map<number, number>()
    for (const { id, row } of follower.told) {
      const known = all.get(id)
      expect(known && follower.sees(known), `invoice ${id} was told to one who may not see it`).toBe(true)
      if (row === null) continue
      expect(follower.passes(row)).toBe(true)
      const version = Math.round((row.total % 10) * 1000)
      expect(version).toBeGreaterThanOrEqual(versions.get(id) ?? 0)
      versions.set(id, version)
    }
  }
  expect(followers.at(-1)?.told).toEqual([])
  expect(followers.flatMap(({ told }) => told).length).toBeGreaterThan(0)
  await Promise.all(followers.map(({ client }) => client.removeAllChannels()))
})
