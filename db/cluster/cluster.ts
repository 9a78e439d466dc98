/**
 * The databases of a deployment, and the way of statements to those that own their slots. `README.md` tells how it works.
 * @module
 */

import type { ChangeSet } from '../changes/change-log.ts'
import { MovedError } from '../errors/constraint-error.ts'
import { errors } from '../errors/errors.ts'
import type { Outcome, Part, Site } from '../slots/parts.ts'
import { ownerOf, ownersIn, parseMap, readMapText, type ShardMap, wholeMap } from '../slots/shard-map.ts'
import { byShard } from '../slots/shard-names.ts'
import { slotOf } from '../slots/slots.ts'
import type { BoundStatement } from '../sql/statement.ts'
import type { ClusterOptions } from './cluster-options.ts'
import { Database } from './database.ts'
import { fenceFor, mapPosition, positionText } from './fence.ts'
import { LightTexts } from './light-texts.ts'
import { openSession } from './open-session.ts'
import { RetryBudget } from './retry-budget.ts'
import { SchemaCheck } from './schema-check.ts'
import type { ClusterSession, ClusterView, SessionOptions } from './session.ts'

/** Databases asked at the same time by one request: the platform waits for six connections. */
const maxAtOnce = 6

/**
 * All databases of a deployment as one: finds who owns a slot, asks one or many, and asks again where rows have moved. Made once for an
 * isolate; requests open a session each.
 */
export class Cluster implements ClusterView {
  readonly #databases = new Map<string, Database>()
  readonly #primary: Database
  readonly #onCopyFailed: ClusterOptions['onCopyFailed']
  readonly #onCopied: ClusterOptions['onCopied']
  readonly #onWentBack: ClusterOptions['onWentBack']
  /** Whether replicas may not know where tables lie by now. */
  readonly isConverting: boolean
  #map: ShardMap | null = null

  /** @param bindings databases by their names, `DB` among them */
  constructor(bindings: ReadonlyMap<string, D1Database>, options: ClusterOptions) {
    const budget = new RetryBudget()
    const light = new LightTexts()
    this.#onCopyFailed = options.onCopyFailed
    this.#onCopied = options.onCopied
    this.#onWentBack = options.onWentBack
    this.isConverting = options.isConverting ?? false
    for (const name of [...bindings.keys()].sort(byShard)) {
      const check = new SchemaCheck(name, [...bindings.keys()], options)
      const binding = bindings.get(name) as D1Database
      this.#databases.set(name, new Database(name, binding, budget, check, light, options))
    }
    const primary = this.#databases.get('DB')
    if (!primary) throw new Error('no database is bound as DB')
    this.#primary = primary
    // One database owns everything, and no map can say otherwise.
    if (this.#databases.size === 1) this.#map = wholeMap('DB')
  }

  /** Whether there are shards beside the primary database. */
  get sharded(): boolean {
    return this.#databases.size > 1
  }

  get databases(): readonly string[] {
    return [...this.#databases.keys()]
  }

  /** Name of the primary database. */
  get primary(): string {
    return this.#primary.name
  }

  /** Names of the shards beside the primary database. */
  get shards(): readonly string[] {
    return this.databases.filter((name) => name !== this.#primary.name)
  }

  /** Tells of a shard that could not take its copies as they are. */
  copyFailed(database: string, error: unknown): void {
    this.#onCopyFailed?.(database, error)
  }

  /** Tells of copies that were brought up. */
  async copied(changes: readonly ChangeSet[], { bookmarks }: ClusterSession): Promise<void> {
    await this.#onCopied?.(changes, bookmarks)
  }

  /** Lets somebody look, after the answer, whether a database was put back in time. */
  wentBack(database: string, session: ClusterSession): void {
    if (this.#onWentBack) session.later(this.#onWentBack(database, false))
  }

  open(options: SessionOptions): ClusterSession {
    return openSession(this, options)
  }

  database(name: string): Database {
    const database = this.#databases.get(name)
    if (!database) throw errors.unknownShard(name)
    return database
  }

  /**
   * Runs statements on every database of a site, each as one transaction and one round trip. A database that has given
   * slots away refuses (MOVED); then the map is read again, and what was refused goes to the new owners.
   *
   * @param statementsOf what to run on a part; asked again for parts that moved
   */
  async run(
    site: Site,
    statementsOf: (part: Part) => readonly BoundStatement[],
    session: ClusterSession,
  ): Promise<Outcome[]> {
    if (site.kind === 'primary') {
      const part: Part = { database: this.#primary.name, slots: null }
      return [await this.runPart(part, statementsOf(part), session)]
    }
    const outcomes: Outcome[] = []
    let rest: Site = site
    for (;;) {
      const map = await this.currentMap(session)
      // Slots that are closed now open elsewhere in a moment.
      await session.moves.before(map.epoch)
      const moved: Part[] = []
      const parts = partsOf(rest, map)
      // What every shard writes by itself cannot be taken back: the map is asked for before any of them begins.
      const isOld = !session.reads && rest.kind === 'everywhere' && (await this.#isOld(parts, map, session))
      if (isOld && !session.moves.isOver) {
        session.moves.refused(map.epoch)
        this.#map = null
        continue
      }
      const fenceOf = (part: Part) => (this.sharded ? fenceFor(part, map, session) : [])
      const [first, ...others] = parts
      const firstOwn = first && statementsOf(first)
      // No shard writes its part when there are too many of them for one invocation.
      if (firstOwn && others.length > 0) session.account?.check(parts.length * (firstOwn.length + 1))
      for (const outcome of await atMost(maxAtOnce, parts, (part) =>
        this.runPart(
          part,
          part === first && firstOwn ? firstOwn : statementsOf(part),
          session,
          fenceOf(part),
        ),
      )) {
        if ('error' in outcome && outcome.error instanceof MovedError) moved.push(outcome.part)
        else outcomes.push(outcome)
      }
      if (moved.length === 0) {
        if (this.sharded) session.note(mapPosition, positionText(map.epoch))
        return outcomes
      }
      session.moves.refused(map.epoch)
      this.#map = null
      if (session.moves.isOver) throw await this.whyMoved(moved, session)
      // What a read asks of each depends on where everything lies, and so does what was found.
      if (session.reads || rest.kind === 'found')
        throw new MovedError(moved.map(({ database }) => database).join(', '))
      if (rest.kind === 'everywhere') {
        const refused = errors.movedAgain(moved.map(({ database }) => database))
        return [...outcomes, ...moved.map((part): Outcome => ({ part, error: refused }))]
      }
      rest = { kind: 'slots', slots: moved.flatMap(({ slots }) => [...(slots ?? [])]) }
    }
  }

  /** Why slots are closed for so long: they are moving, or nobody knows since a restore who owns them. */
  async whyMoved(moved: readonly Part[], session: ClusterSession): Promise<unknown> {
    const [rows = []] = await session.onPrimary().primary([ownersUnknown])
    const ranges = rows.map(({ key }) => key as string)
    const isConcerned = moved.some(
      ({ slots }) => slots === null || [...slots].some((slot) => isIn(slot, ranges)),
    )
    if (isConcerned && ranges.length > 0) return errors.ownersUnknown(ranges)
    return errors.movedAgain(moved.map(({ database }) => database))
  }

  /** How many databases a site has, as far as the map is known here. */
  async partsOf(site: Site, session: ClusterSession): Promise<readonly Part[]> {
    if (site.kind === 'primary') return [{ database: this.#primary.name, slots: null }]
    return partsOf(site, await this.currentMap(session))
  }

  /** The database on which rows with a distribution value lie, as far as the map is known here. */
  async ownerOf(value: string, session: ClusterSession): Promise<string> {
    return ownerOf(await this.currentMap(session), slotOf(value))
  }

  /** Which database owns which slots, as far as it is known here. */
  async currentMap(session: ClusterSession): Promise<ShardMap> {
    // A session that has seen slots elsewhere must not go back to a replica of where they were.
    const seen = session.bookmarks.get(mapPosition)
    if (this.#map && (seen === undefined || this.#map.epoch >= Number(seen))) return this.#map
    const asking = seen === undefined ? session : session.onPrimary()
    const [rows = []] = await this.#primary.batch([{ text: readMapText, parameters: [] }], asking, true)
    const map = parseMap(rows[0])
    if (!map) throw errors.notMigrated(this.#primary.name)
    this.#map = map
    return map
  }

  async #isOld(parts: readonly Part[], map: ShardMap, session: ClusterSession): Promise<boolean> {
    const asked = await atMost(maxAtOnce, parts, (part) =>
      this.runPart(part, fenceFor(part, map, session), session),
    )
    return asked.some((outcome) => 'error' in outcome && outcome.error instanceof MovedError)
  }

  /** Runs statements on one database, after a fence that fails when it does not own what is meant. */
  async runPart(
    part: Part,
    statements: readonly BoundStatement[],
    session: ClusterSession,
    fence: readonly BoundStatement[] = [],
  ): Promise<Outcome> {
    try {
      const results = await this.database(part.database).batch([...fence, ...statements], session)
      return { part, results: results.slice(fence.length) }
    } catch (error) {
      return { part, error }
    }
  }
}

/** Slots that no database, or more than one, owns since one was put back in time: `db/restores/settle-owners.ts` notes them. */
const ownersUnknown: BoundStatement = {
  text: "SELECT key FROM _atoll_conflicts WHERE kind = 'slots'",
  parameters: [],
}

/** @param ranges `first-last` */
function isIn(slot: number, ranges: readonly string[]): boolean {
  return ranges.some((range) => {
    const [first = 0, last = 0] = range.split('-').map(Number)
    return first <= slot && slot <= last
  })
}

function partsOf(site: Exclude<Site, { kind: 'primary' }>, map: ShardMap): Part[] {
  if (site.kind === 'found') return [{ database: site.database, slots: null }]
  if (site.kind === 'everywhere') return ownersIn(map).map((database) => ({ database, slots: null }))
  const slots = new Map<string, Set<number>>()
  for (const slot of site.slots) {
    const owner = ownerOf(map, slot)
    const known = slots.get(owner)
    if (known) known.add(slot)
    else slots.set(owner, new Set([slot]))
  }
  return [...slots].map(([database, own]) => ({ database, slots: own }))
}

/** Works on all items, so many at a time; answers in their order. */
async function atMost<Item, Result>(
  max: number,
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  let next = 0
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) results[i] = await work(items[i] as Item)
  }
  await Promise.all(Array.from({ length: Math.min(max, items.length) }, worker))
  return results
}
