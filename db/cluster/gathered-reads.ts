/**
 * Reads that an isolate wants of one database at the same time travel together, in one batch: a call costs more than most of what is asked
 * by it. While few calls are under way each read goes at once, alone; beyond them, those who come wait for the next call. Nobody is given
 * what was read before they asked.
 * @module
 */
import { movedMark, staleCopyMark } from '../errors/constraint-error.ts'
import { errors } from '../errors/errors.ts'
import type { BoundStatement, Row } from '../sql/statement.ts'
import { gatheredFence, isOwned } from './fence.ts'

/** Calls of an isolate under way on one database before others wait to share one. */
const maxUnderWay = 2
/** Reads of one batch, and statements. */
const maxTogether = 32
const maxStatements = 64
/** Longest time that a read waits for a call to go with, in milliseconds; a call that takes longer counts as under way no more. */
const maxWaitMs = 100

export interface Wanted {
  readonly statements: readonly BoundStatement[]
  /** What D1's session begins with: a bookmark, or `first-unconstrained` or `first-primary`. */
  readonly constraint: string
}

/** What one call has answered: to each statement, in their order. */
export interface Answered {
  readonly results: readonly D1Result<Row>[]
  readonly bookmark: string | null
  /** How long the call took, in milliseconds. */
  readonly ms: number
}

/** One call to the database, bounded in time. */
export type AskTogether = (statements: readonly BoundStatement[], constraint: string) => Promise<Answered>

/** What becomes of a read: it goes by itself, and says when it is back; it was answered; or the call that it went with has failed. */
export type Turn =
  | { readonly kind: 'alone'; back(): void }
  | { readonly kind: 'answered'; readonly answered: Answered }
  | { readonly kind: 'failed'; readonly error: unknown }
  /** It cannot be answered by what was asked; the others are. */
  | { readonly kind: 'refused'; readonly error: unknown }

interface Call {
  readonly startedAt: number
}

type Signal = Exclude<Turn, { kind: 'alone' }>

/** One who waits. */
interface Waiter extends Wanted {
  isTaken: boolean
  /** That it is its turn to ask for all who wait. */
  readonly turn: Promise<null>
  /** What somebody has asked for it. */
  readonly answer: Promise<Signal>
  begin(): void
  tell(answer: Signal): void
}

export class GatheredReads {
  readonly #database: string
  readonly #ask: AskTogether
  readonly #timeoutMs: number
  readonly #underWay = new Set<Call>()
  #waiting: Waiter[] = []

  constructor(database: string, ask: AskTogether, timeoutMs: number) {
    this.#database = database
    this.#ask = ask
    this.#timeoutMs = timeoutMs
  }

  /**
   * Waits for a read's turn.
   *
   * @param later keeps the request alive that asks for others, when its own client has gone
   */
  async join(wanted: Wanted, later: (work: Promise<unknown>) => void): Promise<Turn> {
    if (this.#isFree()) {
      if (this.#waiting.length === 0) {
        const call = this.#begin()
        return { kind: 'alone', back: () => this.#end(call) }
      }
      return this.#carry(waiterOf(wanted), later)
    }
    const waiter = waiterOf(wanted)
    this.#waiting.push(waiter)
    // Should its client go, those who are asked for along with it are answered all the same.
    const first = Promise.race([waiter.turn, waiter.answer])
    later(first)
    const told = await within(maxWaitMs, first)
    if (told !== null) return told
    if (!waiter.isTaken) return this.#carry(waiter, later)
    const answer = await within(this.#timeoutMs, waiter.answer)
    return answer ?? { kind: 'failed', error: errors.tooSlow(this.#database, this.#timeoutMs) }
  }

  /** Whether one more may be under way. Calls whose request was ended in the middle, and slow ones, keep nobody. */
  #isFree(): boolean {
    if (this.#underWay.size < maxUnderWay) return true
    const now = Date.now()
    for (const call of this.#underWay) if (now - call.startedAt > maxWaitMs) this.#underWay.delete(call)
    return this.#underWay.size < maxUnderWay
  }

  #begin(): Call {
    const call = { startedAt: Date.now() }
    this.#underWay.add(call)
    return call
  }

  #end(call: Call): void {
    this.#underWay.delete(call)
    // The one who has waited longest asks, in a request of its own, for all who wait by then.
    this.#waiting[0]?.begin()
  }

  /** Asks for one and for those who wait. */
  async #carry(own: Waiter, later: (work: Promise<unknown>) => void): Promise<Turn> {
    const together = this.#takeAlong(own)
    if (together.length === 1) {
      const call = this.#begin()
      return { kind: 'alone', back: () => this.#end(call) }
    }
    const call = this.#begin()
    const work = this.#askFor(together).finally(() => this.#end(call))
    later(work)
    await work
    return own.answer
  }

  /** The next ones who may share a call with one, and that one. */
  #takeAlong(own: Waiter): Waiter[] {
    const together = [own]
    let statements = own.statements.length
    own.isTaken = true
    const left: Waiter[] = []
    for (const waiter of this.#waiting) {
      if (waiter === own) continue
      const fits =
        together.length < maxTogether &&
        statements + waiter.statements.length <= maxStatements &&
        kindOf(waiter.constraint) === kindOf(own.constraint)
      if (!fits) {
        left.push(waiter)
        continue
      }
      waiter.isTaken = true
      statements += waiter.statements.length
      together.push(waiter)
    }
    this.#waiting = left
    return together
  }

  async #askFor(together: readonly Waiter[]): Promise<void> {
    const batch = layTogether(together)
    let answered: Answered
    try {
      answered = await this.#ask(batch.statements, laterConstraint(together))
    } catch (error) {
      for (const waiter of together) waiter.tell({ kind: 'failed', error })
      return
    }
    for (const [i, waiter] of together.entries()) {
      waiter.tell(this.#answerTo(waiter, batch.places[i] as readonly number[], answered))
    }
  }

  #answerTo({ statements }: Waiter, places: readonly number[], { results, bookmark, ms }: Answered): Signal {
    for (const { fence } of statements) {
      if (fence === undefined || isOwned(fence, results[0]?.results[0])) continue
      // As the fence itself would have failed.
      return { kind: 'refused', error: new Error(fence.kind === 'copies' ? staleCopyMark : movedMark) }
    }
    const own = places.map((place) => results[place] as D1Result<Row>)
    return { kind: 'answered', answered: { results: own, bookmark, ms } }
  }
}

interface Batch {
  readonly statements: readonly BoundStatement[]
  /** For each who shares it, where the answers to its statements are. */
  readonly places: readonly (readonly number[])[]
}

/**
 * One batch of the reads of several. It is one transaction, so that a fence needs not fail to be one: one statement tells what all of them
 * ask, and each read is held against it. Equal statements are asked once.
 */
function layTogether(together: readonly Wanted[]): Batch {
  const fences = together.flatMap(({ statements }) => statements.flatMap(({ fence }) => fence ?? []))
  const statements: BoundStatement[] = fences.length > 0 ? [gatheredFence(fences)] : []
  const byText = new Map<string, number[]>()
  const placeOf = (statement: BoundStatement) => {
    const known = byText.get(statement.text) ?? []
    const same = known.find((place) => isSame(statements[place] as BoundStatement, statement))
    if (same !== undefined) return same
    byText.set(statement.text, [...known, statements.length])
    return statements.push(statement) - 1
  }
  const places = together.map((wanted) =>
    wanted.statements.map((statement) => (statement.fence === undefined ? placeOf(statement) : 0)),
  )
  return { statements, places }
}

function isSame(a: BoundStatement, b: BoundStatement): boolean {
  return (
    a.parameters.length === b.parameters.length && a.parameters.every((value, i) => value === b.parameters[i])
  )
}

/** Who may wait for the primary, for a position, or for nothing: one does not wait for what only another needs. */
function kindOf(constraint: string): string {
  return constraint.startsWith('first-') ? constraint : 'bookmark'
}

/** What serves all of one kind: of bookmarks the latest, as they compare as text. */
function laterConstraint(together: readonly Wanted[]): string {
  const [latest = ''] = together
    .map(({ constraint }) => constraint)
    .sort()
    .reverse()
  return latest
}

/** Both of its promises are made in its own request: workerd lets nobody wait for one of a request that has ended. */
function waiterOf(wanted: Wanted): Waiter {
  const turn = Promise.withResolvers<null>()
  const answer = Promise.withResolvers<Signal>()
  return {
    ...wanted,
    isTaken: false,
    turn: turn.promise,
    answer: answer.promise,
    begin: () => turn.resolve(null),
    tell: answer.resolve,
  }
}

/** What a promise gives, if it does in time; else null. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<null>((done) => {
    timer = setTimeout(() => done(null), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
