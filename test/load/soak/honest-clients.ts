/**
 * Honest clients of a soak: each waits for its answers, writes rows of its own, and looks whether what it is shown can be true.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { outcomeOf, type Told } from './asker.ts'
import { claim, refer } from './contended-writes.ts'
import { valueWith, versionOf } from './row-oracle.ts'
import { customers, genreStaleMs, genres, type World } from './world.ts'

const customerRow = (id: number) => `customers ${id}`
const genreRow = (id: number) => `genres ${id}`

interface Shown {
  readonly id: number
  readonly fax?: string | null
  readonly name?: string | null
}

/** One client; has a session at times, which must never be shown what is older than it has seen. */
export class HonestClient {
  readonly #world: World
  readonly #chance: () => number
  #session: string | null = null
  readonly #seen = new Map<string, number>()

  constructor(world: World, chance: () => number) {
    this.#world = world
    this.#chance = chance
  }

  async run(isOver: () => boolean): Promise<void> {
    const kinds: readonly (readonly [number, () => Promise<void>])[] = [
      [26, () => this.#readCustomers()],
      [8, () => this.#readOwn()],
      [12, () => this.#readGenres()],
      [20, () => this.#writeCustomer()],
      [5, () => this.#writeGenre()],
      [8, () => this.#insert()],
      [9, () => claim(this.#world, this.#chance)],
      [5, () => refer(this.#world, this.#chance)],
    ]
    const acts = kinds.flatMap(([weight, act]) => Array.from({ length: weight }, () => act))
    while (!isOver()) {
      if (this.#chance() < 0.05) {
        this.#session = this.#session === null ? 'new' : null
        this.#seen.clear()
      }
      await this.#pick(acts)()
      await sleep(this.#chance() * 30)
    }
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#chance() * from.length)] as T
  }

  #headers(headers: Readonly<Record<string, string>> = this.#world.secret): Record<string, string> {
    return { ...headers, ...(this.#session === null ? {} : { 'Atoll-Session': this.#session }) }
  }

  #follow(told: Told): void {
    const token = told.headers.get('atoll-session')
    if (this.#session !== null && token !== null) this.#session = token
  }

  async #readCustomers(): Promise<void> {
    const ids =
      this.#chance() < 0.6
        ? [this.#pick(customers)]
        : [this.#pick(customers), this.#pick(customers), this.#pick(customers)]
    const where = ids.length === 1 ? `id=eq.${ids[0]}` : `id=in.(${ids.join(',')})`
    const select = this.#chance() < 0.2 ? 'id,fax,invoices(id)&invoices.limit=2' : 'id,fax'
    const told = await this.#world.asker.ask({
      kind: this.#session === null ? 'read rows' : 'read rows, session',
      path: `/rest/v1/customers?${where}&select=${select}`,
      headers: this.#headers(),
    })
    if (told.status === 200) for (const id of new Set(ids)) this.#judgeCustomer(told, id)
    this.#follow(told)
  }

  async #readOwn(): Promise<void> {
    const id = this.#pick(customers)
    const told = await this.#world.asker.ask({
      kind: 'read own row, token',
      path: '/rest/v1/customers?select=id,fax',
      headers: this.#world.customer(id),
    })
    if (told.status !== 200) return
    const rows = JSON.parse(told.text) as Shown[]
    if (rows.some((row) => row.id !== id))
      this.#world.asker.tally.violate(`customer ${id} is shown ${told.text}`)
    this.#judge(told, customerRow(id), rows[0]?.fax, rows.length, 0, false)
  }

  #judgeCustomer(told: Told, id: number): void {
    const rows = (JSON.parse(told.text) as Shown[]).filter((row) => row.id === id)
    this.#judge(told, customerRow(id), rows[0]?.fax, rows.length, 0, this.#session !== null)
  }

  async #readGenres(): Promise<void> {
    const id = this.#pick(genres)
    // As a row of the primary database, or as the copies that shards have.
    const embeds = this.#chance() < 0.3
    const told = await this.#world.asker.ask({
      kind: this.#session === null ? 'read reference row' : 'read reference row, session',
      path: embeds
        ? `/rest/v1/tracks?genre_id=eq.${id}&select=genres(id,name)&order=id&limit=1`
        : `/rest/v1/genres?id=eq.${id}&select=id,name`,
      headers: this.#headers(),
    })
    if (told.status === 200) {
      const [row] = JSON.parse(told.text) as (Shown & { readonly genres?: Shown })[]
      const shown = embeds ? row?.genres : row
      this.#judge(told, genreRow(id), shown?.name, shown ? 1 : 0, genreStaleMs, this.#session !== null)
    }
    this.#follow(told)
  }

  #judge(told: Told, row: string, value: unknown, rows: number, staleMs: number, inSession: boolean): void {
    const { oracle, asker } = this.#world
    if (rows !== 1) {
      asker.tally.violate(`${row} is there ${rows} times`)
      return
    }
    const version = versionOf(value)
    const wrong = oracle.judge(row, version, told.sentAt, staleMs)
    const how = `(${told.headers.get('cache-status')}; age ${told.headers.get('age')})`
    if (wrong) asker.tally.violate(`${wrong} ${how}`)
    if (!inSession || (version !== null && oracle.isUnknown(row, version))) return
    const before = this.#seen.get(row) ?? 0
    if ((version ?? 0) < before)
      asker.tally.violate(`${row} shows ${version} to a session that has seen ${before} ${how}`)
    this.#seen.set(row, Math.max(before, version ?? 0))
  }

  async #writeCustomer(): Promise<void> {
    const id = this.#pick(customers)
    const isOwn = this.#chance() < 0.3
    const headers = isOwn ? this.#world.customer(id) : this.#headers()
    await this.#writeRow(
      customerRow(id),
      `customers?id=eq.${id}`,
      'fax',
      headers,
      isOwn ? 'write own row, token' : 'write row',
      !isOwn,
    )
  }

  async #writeGenre(): Promise<void> {
    const id = this.#pick(genres)
    await this.#writeRow(
      genreRow(id),
      `genres?id=eq.${id}`,
      'name',
      this.#headers(),
      'write reference row',
      true,
    )
  }

  async #writeRow(
    row: string,
    path: string,
    column: string,
    headers: Record<string, string>,
    kind: string,
    follows: boolean,
  ): Promise<void> {
    const { oracle, asker } = this.#world
    const version = oracle.begin(row)
    if (version === null) return
    const sent = {
      kind,
      method: 'PATCH',
      path: `/rest/v1/${path}`,
      body: { [column]: valueWith(version) },
      headers,
    }
    if (this.#chance() < 0.5) {
      const { outcome, told } = await asker.write({ ...sent, kind: `${kind}, key` }, crypto.randomUUID())
      oracle.end(row, version, outcome)
      if (follows && outcome === 'done') this.#wrote(told, row, version)
      return
    }
    const told = await asker.ask(sent)
    const outcome = outcomeOf(told)
    oracle.end(row, version, outcome)
    if (follows && outcome === 'done') this.#wrote(told, row, version)
  }

  #wrote(told: Told, row: string, version: number): void {
    if (this.#session === null) return
    this.#follow(told)
    this.#seen.set(row, Math.max(version, this.#seen.get(row) ?? 0))
  }

  async #insert(): Promise<void> {
    const { asker, ledger, secret } = this.#world
    const mark = `mark ${ledger.next++}`
    const isReference = this.#chance() < 0.25
    const body = isReference
      ? { name: mark }
      : { customer_id: this.#pick(customers), invoice_date: '2026-01-01', billing_address: mark, total: 1 }
    const kept = isReference ? ledger.artists : ledger.invoices
    kept.set(mark, 'unknown')
    const path = `/rest/v1/${isReference ? 'artists' : 'invoices'}`
    const kind = isReference ? 'insert reference row, key' : 'insert, key'
    const headers = { ...secret, ...(this.#chance() < 0.5 ? { prefer: 'return=representation' } : {}) }
    kept.set(
      mark,
      (await asker.write({ kind, method: 'POST', path, body, headers }, crypto.randomUUID())).outcome,
    )
  }
}
