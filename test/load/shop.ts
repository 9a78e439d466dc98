/**
 * `npm run load -- mix`: a shop's reads and writes, Atoll beside an expert's hand (prepared statements, `json_each` for many rows, a map
 * with a time to live), for 1, 16 and 64 users. With `--compare DIR` also beside another build of Atoll. Who answers wrongly is not timed.
 * @module
 */
import { cpSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { migrateCluster } from '../../db/migrate/migrate-cluster.ts'
import type { Beside } from '../../functions/local/serve.ts'
import { startFixture } from '../support/local-server.ts'
import { startRedisProcess } from '../support/redis-process.ts'
import { type Contender, compare, type Scenario, type Settings, secret, wrongOf } from './compare.ts'
import tables, { counts, migrations, rowsSql, tablesSql } from './shop/shop-tables.ts'
import { zipfSequence } from './tool/draw.ts'

const folder = join(import.meta.dirname, 'shop')
const goodAt = zipfSequence(counts.goods, 20_261_201)

/** What is asked: of Atoll, and by hand. Drawn by Zipf's law. */
type Kind = readonly [rest: (n: number) => string, hand: (n: number) => string]

const words = ['lamp', 'chair', 'table', 'clock', 'spoon', 'no. 7', '12', '99']
const kinds: Readonly<Record<string, Kind>> = {
  good: [(n) => `goods?id=eq.${n}`, (n) => `good/${n}`],
  maker: [(n) => `makers?id=eq.${1 + (n % counts.makers)}`, (n) => `maker/${1 + (n % counts.makers)}`],
  buyer: [(n) => `buyers?id=eq.${1 + (n % counts.buyers)}`, (n) => `buyer/${1 + (n % counts.buyers)}`],
  order: [
    (n) => `orders?id=eq.${n}&select=*,lines(*,good:goods(id,name))&lines.order=id`,
    (n) => `order/${n}`,
  ],
  shelf: [
    (n) => `goods?shelf_id=eq.${1 + (n % counts.shelves)}&order=cents,id&limit=20`,
    (n) => `shelf/${1 + (n % counts.shelves)}`,
  ],
  page: [(n) => `goods?order=name,id&limit=50&offset=${50 * (n % 60)}`, (n) => `page/${50 * (n % 60)}`],
  ofMaker: [
    (n) => `goods?maker_id=eq.${1 + (n % counts.makers)}&select=*,maker:makers(name)&order=id`,
    (n) => `ofMaker/${1 + (n % counts.makers)}`,
  ],
  ratingsOf: [
    (n) => `ratings?good_id=eq.${n}&select=id,stars,words,buyer:buyers(name)&order=id.desc&limit=10`,
    (n) => `ratingsOf/${n}`,
  ],
  found: [
    (n) =>
      `goods?name=ilike.*${encodeURIComponent(words[n % 8] as string)}*&select=id,name,cents&order=id&limit=10`,
    (n) => `found/${encodeURIComponent(words[n % 8] as string)}`,
  ],
  stars: [(n) => `ratings?good_id=eq.${n}&select=stars.avg(),count()`, (n) => `stars/${n}`],
  cheapest: [
    (n) => `goods?cents=gte.${1000 * (n % 20)}&select=shelf_id,count(),cents.min()&order=shelf_id`,
    (n) => `cheapest/${1000 * (n % 20)}`,
  ],
  shelves: [() => 'shelves?order=id', () => 'shelves/0'],
  states: [
    (n) => `orders?buyer_id=eq.${1 + (n % counts.buyers)}&select=state,count()&order=state`,
    (n) => `states/${1 + (n % counts.buyers)}`,
  ],
}
const mix = Object.values(kinds)
const mixAt = (i: number) => mix[(i * 7) % mix.length] as Kind

/** Which Atolls there are: this one, and the other build's beside it. */
type Side = 'hand' | 'kept' | 'uncached' | 'memory' | 'redis' | 'other'
const labels: Readonly<Record<Side, string>> = {
  uncached: 'atoll',
  other: 'atoll, the other build',
  memory: 'atoll, cached',
  redis: 'atoll, cached in Redis',
  kept: 'by hand, a map that hears of nothing',
  hand: 'by hand, prepared',
}
type Addresses = Readonly<Partial<Record<Side, string>>>

const isHand = (side: Side) => side === 'hand' || side === 'kept'

/** By hand's comes last: the others are held against it. */
function asking(
  addresses: Addresses,
  kindAt: (i: number) => Kind,
  of: (side: Side) => Partial<Contender> = () => ({}),
): Contender[] {
  return (Object.keys(labels) as Side[])
    .filter((side) => addresses[side] !== undefined)
    .map((side) => ({
      name: labels[side],
      address: addresses[side] as string,
      path: (i) => {
        const [rest, hand] = kindAt(i)
        if (!isHand(side)) return `/rest/v1/${rest(goodAt(i))}`
        return `${side === 'kept' ? '/kept' : ''}/${hand(goodAt(i))}`
      },
      ...of(side),
    }))
}

const writingSides = ({ kept: _, ...others }: Addresses): Addresses => others

/** Five of a hundred set a price, the others read. */
function priced(addresses: Addresses, kind: Kind): Contender[] {
  return asking(
    writingSides(addresses),
    () => kind,
    (side) => ({
      writePath: (i) => `${isHand(side) ? '/goods/' : '/rest/v1/goods?id=eq.'}${goodAt(i * 7)}`,
      write: (i) => (i % 20 === 0 ? JSON.stringify({ cents: 100 + (i % 977) }) : null),
    }),
  )
}

function inserted(addresses: Addresses, rows: number): Contender[] {
  return asking(
    writingSides(addresses),
    () => kinds.good as Kind,
    (side) => {
      const list = Array.from({ length: rows }, (_, i) => {
        const [good, buyer, stars, said] = [1 + i, 1 + (i % 100), 1 + (i % 5), `It is as it is: ${i}`]
        return isHand(side)
          ? { goodId: good, buyerId: buyer, stars, words: said }
          : { good_id: good, buyer_id: buyer, stars, words: said }
      })
      const body = JSON.stringify(list)
      return {
        method: 'POST',
        writePath: () => (isHand(side) ? '/ratings' : '/rest/v1/ratings'),
        write: () => body,
      }
    },
  )
}

export interface ShopSettings extends Settings {
  /** Folder of another build; null: none. */
  readonly compare: string | null
  /** Users at a time, one run for each. */
  readonly users: readonly number[]
}

export async function runShop(settings: ShopSettings): Promise<void> {
  const redis = await startRedisProcess()
  const other = settings.compare === null ? null : layBeside(resolve(settings.compare))
  const worker = (name: Side, entry: string, variables = {}): Beside => ({
    name,
    entry,
    databases: { DB: name },
    isWhole: !isHand(name),
    variables: { ATOLL_SECRET_KEY: secret.apikey, ATOLL_RATE_LIMITS: 'off', ...variables },
  })
  const beside = [
    worker('uncached', join(folder, 'uncached-worker.ts')),
    worker('memory', join(folder, 'cached-worker.ts')),
    worker('redis', join(folder, 'cached-worker.ts'), redis.variables),
    worker('hand', join(folder, 'hand-worker.ts')),
    ...(other === null ? [] : [worker('other', join(other, 'uncached-worker.ts'))]),
  ]
  const server = await startFixture({
    port: 0,
    persistTo: null,
    databases: ['DB'],
    entry: join(folder, 'hand-worker.ts'),
    isQuiet: true,
    beside,
  })
  try {
    for (const { name } of beside) {
      const database = await server.database(name)
      if (isHand(name as Side)) for (const text of tablesSql) await database.prepare(text).run()
      else await migrateCluster(new Map([['DB', database]]), buildCatalog(tables), migrations)
      for (const text of rowsSql) await database.prepare(text).run()
    }
    const addresses: Partial<Record<Side, string>> = {}
    for (const { name } of beside) addresses[name as Side] = (await server.addressOf(name)).origin
    addresses.kept = addresses.hand as string
    const { good, page } = kinds as { good: Kind; page: Kind }
    const scenarios: Scenario[] = [
      { name: 'shop', contenders: asking(addresses, mixAt) },
      { name: 'by id', contenders: asking(addresses, () => good) },
      { name: 'prices 5 %, one good', contenders: priced(addresses, good) },
      { name: 'prices 5 %, page of 50', contenders: priced(addresses, page) },
      { name: 'insert 1', contenders: inserted(addresses, 1) },
      { name: 'insert 100', contenders: inserted(addresses, 100) },
    ]
    await checkKinds(addresses)
    for (const connections of settings.users) {
      console.log(`\n${connections} ${connections === 1 ? 'user' : 'users'}`)
      await compare(
        addresses.hand as string,
        scenarios.map((scenario) => ({ ...scenario, differ: true })),
        { ...settings, connections },
      )
    }
  } finally {
    await server.stop()
    await redis.stop()
    if (other !== null) rmSync(other, { recursive: true, force: true })
  }
}

/** The shop's Workers, on the code of another build, in a folder of their own there. */
function layBeside(code: string): string {
  const there = join(code, 'test', 'load', `shop-beside-${process.pid}`)
  cpSync(folder, there, { recursive: true })
  return there
}

/** @throws for who answers otherwise: rows are the same only until the first run has written */
async function checkKinds(addresses: Addresses): Promise<void> {
  for (const [name, kind] of Object.entries(kinds)) {
    const wrong = await wrongOf({ name, contenders: asking(addresses, () => kind) }, ({ address = '' }) => ({
      url: new URL(address),
      keys: {},
    }))
    for (const [contender, why] of wrong) throw new Error(`${name}, ${contender.name}: ${why}`)
  }
}
