/** What clients of a soak share: whom they ask, what they were told, and which rows they use. */
import { SignJWT } from 'jose'
import { publishableKey, secretKey } from '../../support/local-server.ts'
import type { Asker } from './asker.ts'
import type { Ledger } from './ledger.ts'
import type { RowOracle } from './row-oracle.ts'

export interface World {
  readonly asker: Asker
  readonly oracle: RowOracle
  readonly ledger: Ledger
  /** Headers of the secret key, and of a customer who has signed in. */
  readonly secret: Readonly<Record<string, string>>
  readonly customer: (id: number) => Readonly<Record<string, string>>
  /** An invoice for each of some customers, who have slots on all shards. */
  readonly invoices: ReadonlyMap<number, number>
}

/** Rows that are written and read: customers of all shards, whose rows must be current, and genres, which may be a second old. */
export const customers = Array.from({ length: 24 }, (_, i) => i + 1)
export const genres = [1, 2, 3, 4, 5, 6]
export const genreStaleMs = 1000
/** Numbers of tracks that the run makes and takes away. */
export const firstTrack = 500_000

export const jwtSecret = 'a-secret-of-the-soak-that-is-long-enough'

export async function makeWorld(asker: Asker, oracle: RowOracle, ledger: Ledger): Promise<World> {
  const secret = { apikey: secretKey }
  const tokens = new Map<number, Readonly<Record<string, string>>>()
  for (const id of customers) {
    const token = await new SignJWT({ role: 'authenticated', sub: String(id) })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('12h')
      .sign(new TextEncoder().encode(jwtSecret))
    tokens.set(id, { apikey: publishableKey, authorization: `Bearer ${token}` })
  }
  const path = `/rest/v1/invoices?customer_id=in.(${customers.join(',')})&select=id,customer_id`
  const { text } = await asker.ask({ kind: 'begin', path, headers: secret })
  const rows = JSON.parse(text) as { readonly id: number; readonly customer_id: number }[]
  return {
    asker,
    oracle,
    ledger,
    secret,
    customer: (id) => tokens.get(id) ?? secret,
    invoices: new Map(rows.map((row) => [row.customer_id, row.id])),
  }
}
