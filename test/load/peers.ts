/**
 * `npm run load -- peers`: Atoll beside the same queries written by hand in Hono and Drizzle, `@supabase/lite` and `bknd`, on the same
 * rows in the same Miniflare. Who answers wrongly is not timed.
 * @module
 */

import type { TestServer } from '../support/local-server.ts'
import { startRedisProcess } from '../support/redis-process.ts'
import { type Contender, compare, type Scenario, type Settings, secret } from './compare.ts'
import { installPeers, type PeerName, resetPrices, startPeers } from './peers/serve-peers.ts'
import { zipfSequence } from './tool/draw.ts'

const tracks = 2400
const invoices = 400
/** Ids that are asked, the same for all. */
const idAt = zipfSequence(tracks, 1)

type Addresses = Readonly<Record<PeerName, string>>

/** The one that all speak PostgREST's dialect. */
const postgrest = ['memory', 'redis', 'uncached', 'lite'] as const
const labels: Readonly<Record<PeerName, string>> = {
  memory: 'atoll, cached',
  redis: 'atoll, cached in Redis',
  uncached: 'atoll',
  hand: 'by hand',
  lite: '@supabase/lite',
  bknd: 'bknd',
}

/** One of them, and which. */
interface Peer extends Contender {
  readonly peer: PeerName
}

/** What each is asked, by hand's the last; those that are left out cannot ask the same. */
function asking(
  addresses: Addresses,
  paths: { postgrest: Contender['path']; bknd?: Contender['path']; hand: Contender['path'] },
  more: (name: PeerName) => Partial<Contender> = () => ({}),
): Peer[] {
  const of = (name: PeerName, path: Contender['path']): Peer => ({
    peer: name,
    name: labels[name],
    address: addresses[name],
    path,
    ...(name === 'bknd' ? { rows: (json) => bkndRows(json) } : {}),
    ...more(name),
  })
  return [
    ...postgrest.map((name) => of(name, paths.postgrest)),
    ...(paths.bknd ? [of('bknd', paths.bknd)] : []),
    of('hand', paths.hand),
  ]
}

/** `{data: row}` or `{data: rows}`. */
function bkndRows(json: unknown): unknown {
  const { data } = json as { data: unknown }
  return Array.isArray(data) ? data : [data]
}

const pages = (rows: number) => Math.max(1, Math.floor(tracks / rows))
const pageOf = (rows: number, i: number) => (rows === 1000 ? i % 2 : idAt(i) % pages(rows))

function byId(addresses: Addresses): Peer[] {
  return asking(addresses, {
    postgrest: (i) => `/rest/v1/tracks?id=eq.${idAt(i)}`,
    bknd: (i) => `/api/data/entity/tracks/${idAt(i)}`,
    hand: (i) => `/tracks/${idAt(i)}`,
  })
}

function page(addresses: Addresses, rows: number): Peer[] {
  return asking(addresses, {
    postgrest: (i) => `/rest/v1/tracks?order=name,id&limit=${rows}&offset=${rows * pageOf(rows, i)}`,
    hand: (i) => `/tracks?limit=${rows}&page=${pageOf(rows, i)}`,
  })
}

/** A word that few, some or most names have. */
function search(addresses: Addresses, rows: number): Peer[] {
  const words = ['ar', 'er', 'an', 'in', 'on', 'al', 'st', 'ro']
  const word = (i: number) => words[idAt(i) % words.length] as string
  const where = (i: number) => encodeURIComponent(JSON.stringify({ name: { $like: `%${word(i)}%` } }))
  return asking(addresses, {
    postgrest: (i) => `/rest/v1/tracks?name=ilike.*${word(i)}*&order=name,id&limit=${rows}`,
    hand: (i) => `/tracks?search=${word(i)}&limit=${rows}`,
    bknd: (i) => `/api/data/entity/tracks?where=${where(i)}&sort=name&limit=${rows}`,
  })
}

function orders(addresses: Addresses, rows: number): Peer[] {
  const from = (i: number) => 1 + (idAt(i) % (invoices - rows))
  const select = '*,items:invoice_items(*,track:tracks(*))'
  return asking(addresses, {
    postgrest: (i) => `/rest/v1/invoices?id=gte.${from(i)}&order=id&limit=${rows}&select=${select}`,
    hand: (i) => `/invoices?from=${from(i)}&limit=${rows}`,
  })
}

function insert(addresses: Addresses, rows: number): Peer[] {
  const bodyFor = (name: PeerName) => {
    const artist = name === 'hand' ? 'artistId' : 'artist_id'
    const list = Array.from({ length: rows }, (_, i) => ({
      title: `An album of row ${i}`,
      [artist]: 1 + (i % 100),
    }))
    // bknd takes a list as well; the others do.
    return JSON.stringify(rows === 1 && name === 'bknd' ? list[0] : list)
  }
  return asking(
    addresses,
    { postgrest: () => '/rest/v1/albums', bknd: () => '/api/data/entity/albums', hand: () => '/albums' },
    (name) => {
      const body = bodyFor(name)
      return { method: 'POST', write: () => body }
    },
  )
}

/** 95 of 100 are reads, by Zipf; the others set a price. */
function mixed(reads: Peer[], addresses: Addresses): Peer[] {
  const prices = asking(addresses, {
    postgrest: (i) => `/rest/v1/tracks?id=eq.${idAt(i * 7)}`,
    bknd: (i) => `/api/data/entity/tracks/${idAt(i * 7)}`,
    hand: (i) => `/tracks/${idAt(i * 7)}`,
  })
  return reads.map((contender) => {
    const price = prices.find(({ peer }) => peer === contender.peer) as Peer
    const column = contender.peer === 'hand' ? 'unitPrice' : 'unit_price'
    return {
      ...contender,
      writePath: price.path,
      write: (i) => (i % 20 === 0 ? JSON.stringify({ [column]: 0.99 + (i % 7) / 10 }) : null),
    }
  })
}

/** Pages of tracks are read, and what is written is elsewhere: most of what a shop's visitors do. */
function sold(addresses: Addresses): Contender[] {
  const bodyFor = (name: PeerName) => {
    const names = { customer_id: 7, invoice_date: '2026-01-01 00:00:00', total: 0.99 }
    const camel = { customerId: 7, invoiceDate: '2026-01-01 00:00:00', total: 0.99 }
    return JSON.stringify(name === 'hand' ? camel : names)
  }
  return page(addresses, 50).map((contender) => {
    const body = bodyFor(contender.peer)
    return {
      ...contender,
      method: 'POST',
      writePath: () => (contender.peer === 'hand' ? '/invoices' : '/rest/v1/invoices'),
      write: (i) => (i % 20 === 0 ? body : null),
    }
  })
}

export async function runPeers(settings: Settings): Promise<void> {
  installPeers()
  const redis = await startRedisProcess()
  const server = await startPeers({ ...redis.variables })
  try {
    const names = Object.keys(labels) as PeerName[]
    const addresses = Object.fromEntries(
      await Promise.all(names.map(async (name) => [name, (await server.addressOf(name)).origin])),
    ) as Addresses
    await checkWrites(addresses, server)
    const scenarios: Scenario[] = [
      { name: 'by id', contenders: byId(addresses) },
      { name: 'page of 50', contenders: page(addresses, 50) },
      { name: 'page of 1000', contenders: page(addresses, 1000) },
      { name: 'search, 1 row', contenders: search(addresses, 1) },
      { name: 'search, 50 rows', contenders: search(addresses, 50) },
      { name: 'search, 1000 rows', contenders: search(addresses, 1000) },
      { name: '1 order, items, products', contenders: orders(addresses, 1) },
      { name: '50 orders, items, products', contenders: orders(addresses, 50) },
      { name: 'mixed 95/5, by id', contenders: mixed(byId(addresses), addresses) },
      { name: 'mixed 95/5, page of 50', contenders: mixed(page(addresses, 50), addresses) },
      { name: 'mixed 95/5, page of 1000', contenders: mixed(page(addresses, 1000), addresses) },
      { name: 'mixed 95/5, page of 50, sales', contenders: sold(addresses) },
      { name: 'insert 1 row', contenders: insert(addresses, 1), differ: true },
      { name: 'insert 50 rows', contenders: insert(addresses, 50), differ: true },
      { name: 'insert 1000 rows', contenders: insert(addresses, 1000), differ: true },
    ]
    await compare(
      addresses.hand,
      scenarios.map((of) => ({ ...of, prepare: () => resetPrices(server, addresses) })),
      settings,
    )
  } finally {
    await server.stop()
    await redis.stop()
  }
}

/** Sees to it that each contender's writes are written, and its reads show them. */
async function checkWrites(addresses: Addresses, server: TestServer): Promise<void> {
  for (const [scenario, rows] of [
    [insert(addresses, 1), 1],
    [insert(addresses, 50), 50],
  ] as const) {
    for (const contender of scenario) {
      const database = await server.database(contender.peer)
      const count = () => database.prepare('SELECT count(*) AS n FROM albums').first<number>('n')
      const before = Number(await count())
      const answer = await fetch(`${contender.address}${contender.path(0)}`, {
        method: 'POST',
        headers: { ...secret, 'content-type': 'application/json' },
        body: contender.write?.(0) ?? '',
      })
      const written = Number(await count()) - before
      if (!answer.ok || written !== rows)
        console.log(
          `${contender.name}: ${answer.status}, ${written} of ${rows} rows written: ${(await answer.text()).slice(0, 200)}`,
        )
    }
  }
}
