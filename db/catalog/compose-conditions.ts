/**
 * `and`, `or` and `not` for conditions of policies.
 *
 * In the place of Drizzle's, which are made for queries. Those take no plain booleans. They leave out what is undefined, and in a policy that
 * denies. And they put no parentheses around a part, so that with SQL written as text, `a or b` behind `own`, more is let through
 * than `own` lets.
 * @module
 */
import {
  is,
  isSQLWrapper,
  SQL,
  type SQLWrapper,
  StringChunk,
  sql,
  and as sqlAnd,
  or as sqlOr,
} from 'drizzle-orm'

/** What a condition gives. */
type Answer = SQLWrapper | boolean | undefined

/** A condition, or what one has given. */
type Part<Context> = Answer | ((context: Context) => Answer)

/** The context that all conditions among the parts can be asked with: its row has the columns that each of them names. */
type ContextOf<Parts extends readonly unknown[]> = (
  Parts[number] extends infer P
    ? P extends (context: infer C) => unknown
      ? (context: C) => void
      : never
    : never
) extends (context: infer All) => void
  ? All
  : never

/**
 * Holds where all of the parts do. Conditions make a condition, what they have given makes such a thing. A part that is undefined
 * denies, as it does alone; so does having no parts. Parts behind one that is false are not asked.
 *
 * @example select: and(ofTheCustomer, ({ row }) => eq(row.status, 'open'))
 * @example select: (context) => and(ofTheCustomer(context), context.caller.claims.aal === 'aal2')
 */
export function and<const Answers extends readonly Answer[]>(...parts: Answers): SQL | boolean
export function and<Context>(...parts: readonly Part<NoInfer<Context>>[]): (context: Context) => SQL | boolean
export function and<const Parts extends readonly Part<never>[]>(
  ...parts: Parts
): (context: ContextOf<Parts>) => SQL | boolean
export function and(...parts: readonly Part<never>[]) {
  return compose('and', parts, allOf)
}

/**
 * Holds where one of the parts does. A part that is undefined grants nothing, as it does alone; having no parts grants nothing, either.
 * Parts behind one that is true are not asked.
 *
 * @example select: or(ofTheAuthor, ({ row }) => row.isPublished)
 */
export function or<const Answers extends readonly Answer[]>(...parts: Answers): SQL | boolean
export function or<Context>(...parts: readonly Part<NoInfer<Context>>[]): (context: Context) => SQL | boolean
export function or<const Parts extends readonly Part<never>[]>(
  ...parts: Parts
): (context: ContextOf<Parts>) => SQL | boolean
export function or(...parts: readonly Part<never>[]) {
  return compose('or', parts, anyOf)
}

/**
 * Holds where the part is false. Where it is neither true nor false, null or undefined, this denies as well.
 *
 * @example update: not(({ row }) => row.isLocked)
 */
export function not(part: Answer): SQL | boolean
export function not<Context>(part: (context: Context) => Answer): (context: Context) => SQL | boolean
export function not(part: Part<never>) {
  return compose('not', [part], noneOf)
}

function compose(
  name: string,
  parts: readonly Part<never>[],
  join: (answers: Iterable<SQLWrapper | boolean | null>) => SQL | boolean,
) {
  if (!parts.some((part) => typeof part === 'function')) return join(asked(name, parts))
  const condition = (context: never) => join(asked(name, parts, context))
  // The catalog's fingerprint is made of the sources of conditions.
  condition.toString = () => `${name}(${parts.join(', ')})`
  return condition
}

/** What the parts give, one after the other; null for undefined. */
function* asked(name: string, parts: readonly Part<never>[], context?: never) {
  for (const part of parts) {
    const answer: unknown = typeof part === 'function' ? part(context as never) : part
    // A claim that is missing is null.
    if (answer === undefined || answer === null) yield null
    else if (typeof answer === 'boolean' || isSQLWrapper(answer)) yield answer
    else throw new TypeError(`a part of ${name}() is no condition: it must be SQL, true or false`)
  }
}

function allOf(answers: Iterable<SQLWrapper | boolean | null>): SQL | boolean {
  const terms: SQLWrapper[] = []
  let isEmpty = true
  for (const answer of answers) {
    if (answer === false || answer === null) return false
    isEmpty = false
    if (answer !== true) terms.push(...conjunctsOf(answer))
  }
  return terms.length === 0 ? !isEmpty : asSql(terms.length === 1 ? terms[0] : sqlAnd(...terms))
}

function anyOf(answers: Iterable<SQLWrapper | boolean | null>): SQL | boolean {
  const terms: SQLWrapper[] = []
  for (const answer of answers) {
    if (answer === true) return true
    if (answer !== false && answer !== null) terms.push(answer)
  }
  return terms.length === 0 ? false : asSql(terms.length === 1 ? terms[0] : sqlOr(...terms))
}

function noneOf([answer]: Iterable<SQLWrapper | boolean | null>): SQL | boolean {
  if (typeof answer === 'boolean') return !answer
  return answer ? sql`not (${answer})` : false
}

const asSql = (term: SQLWrapper | undefined): SQL => (is(term, SQL) ? term : sql`${term}`)

/**
 * The terms of a conjunction, each such that it can stand between ANDs. Conjunctions within a conjunction are opened: a policy that compares
 * the distribution column with a claim is asked of one database, and found among the terms of the outermost.
 */
function conjunctsOf(part: SQLWrapper): readonly SQLWrapper[] {
  if (!is(part, SQL)) return [part]
  const terms = termsOfAnd(part)
  if (terms !== null && !terms.some(bindsLoosely)) return terms.flatMap(conjunctsOf)
  return [bindsLoosely(part) ? sql`(${part})` : part]
}

/** The terms of what `and` has made, Drizzle's or ours; null for anything else. */
function termsOfAnd({ queryChunks: [open, inner, close, ...rest] }: SQL): readonly SQLWrapper[] | null {
  if (!isText(open, '(') || !is(inner, SQL) || !isText(close, ')') || rest.length > 0) return null
  const isTerm = (_: unknown, i: number) => i % 2 === 0
  const separators = inner.queryChunks.filter((chunk, i) => !isTerm(chunk, i))
  if (separators.length === 0 || !separators.every((chunk) => isText(chunk, ' and '))) return null
  return inner.queryChunks.filter(isTerm) as SQLWrapper[]
}

const isText = (chunk: unknown, text: string) => is(chunk, StringChunk) && chunk.value.join('') === text

/** Whether the SQL has an OR in it, which alone binds less than AND; queries within it come with parentheses. */
function bindsLoosely(part: unknown): boolean {
  if (is(part, StringChunk)) return /\bor\b/i.test(part.value.join(''))
  return is(part, SQL) && part.queryChunks.some(bindsLoosely)
}
