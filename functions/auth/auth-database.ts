import type { Catalog, Column, Table } from '../../db/catalog/catalog.ts'
import { pause } from '../../db/cluster/pause.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import { type Claim, find, locate, permitClaims, release, reserve } from '../../db/cluster/unique-values.ts'
import { ConstraintError, RevokedError } from '../../db/errors/constraint-error.ts'
import type { Outcome } from '../../db/slots/parts.ts'
import { slotCount, slotOf } from '../../db/slots/slots.ts'
import type { BoundStatement, Row } from '../../db/sql/statement.ts'
import { endPermits } from '../../db/system/permits.ts'
import { invalidate } from '../cache/area.ts'
import { errors } from './errors.ts'
import { type Account, accountOf, readAccount, readAccountBy } from './rows/user-rows.ts'
import type { Services } from './services.ts'

/** What is unique over all shards. */
export type UniqueValue =
  | { readonly column: 'email' | 'phone'; readonly value: string }
  | { readonly column: 'provider_key'; readonly value: string }

/** Another account has a value. */
export class TakenError extends Error {
  readonly column: UniqueValue['column']

  constructor(column: UniqueValue['column']) {
    super(`another account has this ${column}`)
    this.column = column
  }
}

/** Times that a write begins again when others took over what it had reserved. */
const maxAttempts = 4

/** The tables of accounts, for one request: what belongs to a user is one transaction on the user's database. */
export class AuthDatabase {
  readonly session: ClusterSession
  readonly #catalog: Catalog
  readonly #services: Pick<Services, 'cache' | 'relay' | 'registry'>

  constructor(
    session: ClusterSession,
    catalog: Catalog,
    services: Pick<Services, 'cache' | 'relay' | 'registry'>,
  ) {
    this.session = session
    this.#catalog = catalog
    this.#services = services
  }

  /** Runs statements as one transaction where rows with a distribution value lie. */
  async at(value: string, statements: readonly BoundStatement[]): Promise<readonly (readonly Row[])[]> {
    return resultsOf(await this.#run(slotOf(value), statements))
  }

  /** Runs statements on the primary database. */
  async primary(statements: readonly BoundStatement[]): Promise<readonly (readonly Row[])[]> {
    return this.session.primary(statements)
  }

  /** Runs statements on every database; what each answered. */
  async everywhere(statements: readonly BoundStatement[]): Promise<readonly (readonly (readonly Row[])[])[]> {
    const outcomes = await this.session.run({ kind: 'everywhere' }, () => statements)
    return outcomes.map((outcome) => resultsOf(outcome))
  }

  async account(id: string): Promise<Account | null> {
    return accountOf(await this.at(id, readAccount(id)))
  }

  /** Whoever has an address. That nobody has takes as many calls as that somebody has. */
  async accountBy(column: 'email' | 'phone', value: string): Promise<Account | null> {
    const slot = await this.#slotOf(column, value)
    const other = Math.floor(Math.random() * slotCount)
    return accountOf(resultsOf(await this.#run(slot ?? other, readAccountBy(column, value))))
  }

  /** As many calls as a reservation takes, so that the time does not tell that nothing was reserved. */
  async lookInVain(): Promise<void> {
    await this.#slotOf('email', crypto.randomUUID())
  }

  /** The id of the user who has an identity; null: nobody. */
  async userWith(providerKey: string): Promise<string | null> {
    const slot = await this.#slotOf('provider_key', providerKey)
    if (slot === null) return null
    const [rows = []] = resultsOf(
      await this.#run(slot, [
        { text: 'SELECT user_id FROM auth_identities WHERE provider_key = ?1', parameters: [providerKey] },
      ]),
    )
    return (rows[0]?.user_id as string | undefined) ?? null
  }

  /**
   * Writes what is a user's, as one transaction, and lets caches and jobs know.
   *
   * @param values that come with it, and that nobody else may have
   * @param freed values that go with it
   * @throws TakenError when another account has one of them; 503 when others are registering it at the same time
   */
  async write(
    userId: string,
    statements: readonly BoundStatement[],
    values: readonly UniqueValue[] = [],
    freed: readonly UniqueValue[] = [],
  ): Promise<readonly (readonly Row[])[]> {
    const slot = slotOf(userId)
    const claims = values.map((value) => this.#claimOf(value, slot))
    const isReserved = this.session.cluster.sharded && claims.length > 0
    for (let attempt = 1; ; attempt++) {
      const before = isReserved ? await this.#reserve(claims, attempt > 1) : []
      const after = isReserved ? [endPermits] : []
      const outcome = await this.#run(slot, [...before, ...statements, ...after])
      const unused = [...('error' in outcome ? claims : []), ...freed.map((one) => this.#claimOf(one, 0))]
      if (this.session.cluster.sharded && unused.length > 0) this.session.later(this.#release(unused))
      if ('error' in outcome && outcome.error instanceof RevokedError && attempt < maxAttempts) {
        await pause(20 * attempt)
        continue
      }
      const results = resultsOf(outcome, values)
      await this.#tell(outcome.part.database)
      return results.slice(before.length, before.length + statements.length)
    }
  }

  async #run(slot: number, statements: readonly BoundStatement[]): Promise<Outcome> {
    const [outcome] = await this.session.run({ kind: 'slots', slots: [slot] }, () => statements)
    return outcome as Outcome
  }

  async #slotOf(column: UniqueValue['column'], value: string): Promise<number | null> {
    // Of one database, the column's own index finds it.
    if (!this.session.cluster.sharded) return 0
    const claim = this.#claimOf({ column, value } as UniqueValue, 0)
    const [held] = await locate(this.session, claim.table, claim.column, [value])
    return held?.slot ?? null
  }

  #claimOf({ column, value }: UniqueValue, slot: number): Claim {
    const name = column === 'provider_key' ? 'auth_identities' : 'auth_users'
    const table = this.#catalog.tables.get(name) as Table
    return { table, column: table.columns.get(column) as Column, value, slot }
  }

  async #reserve(claims: readonly Claim[], isAgain: boolean): Promise<BoundStatement[]> {
    const { permits, taken, contended, unproven } = await reserve(
      this.session,
      claims,
      crypto.randomUUID(),
      isAgain,
    )
    const [first] = taken
    if (first || contended) this.session.later(this.#release(claims))
    if (first) throw new TakenError(first.column.name as UniqueValue['column'])
    const [unknown] = unproven
    if (unknown)
      throw errors.notProvenUnique(
        unknown.claim.table.name,
        unknown.claim.column.name,
        unknown.database,
        unknown.cause,
      )
    if (contended) throw errors.contended()
    return permitClaims(permits)
  }

  async #release(claims: readonly Claim[]): Promise<void> {
    for (const { table, column, value } of claims) {
      await release(this.session, await find(this.session, table, column, [value]))
    }
  }

  /** Answers that policies have made of users, and jobs that changes of them start. */
  async #tell(database: string): Promise<void> {
    const { cache, relay, registry } = this.#services
    if (cache) {
      const changed = { database, changes: [], upTo: 0, tables: ['auth_users'] }
      await invalidate(cache, [changed], this.session.bookmarks)
    }
    if (relay && registry.subscriptions.size > 0)
      this.session.later(relay.carry(database).catch(() => undefined))
  }
}

/** @throws TakenError for a value that another row of the same database has */
function resultsOf(outcome: Outcome, values: readonly UniqueValue[] = []): readonly (readonly Row[])[] {
  if (!('error' in outcome)) return outcome.results
  const { error } = outcome
  if (error instanceof ConstraintError && error.kind === 'unique') {
    const taken = values.find(({ column }) => error.columns.some((name) => name.endsWith(column)))
    if (taken) throw new TakenError(taken.column)
  }
  throw error
}
