/**
 * Lists of accounts: the newest first, over all shards, a page at a time.
 * @module
 */
import type { BoundStatement, Row } from '../../db/sql/statement.ts'
import { errors } from './errors.ts'
import { type Account, shownUser } from './rows/user-rows.ts'
import { answer } from './told.ts'
import { type AuthVisit, isUuid } from './visit.ts'

const maxPerPage = 1000
/** Pages that are counted from the beginning end here: each shard would have to skip all that comes before. */
const maxSkipped = 50_000
/** Accounts are counted up to here on each shard. */
const maxCounted = 100_000

interface Place {
  readonly at: number
  readonly id: string
}

/**
 * `?page=2&per_page=50` as GoTrue has it, or `?after=` with what the answer before said as `next`, which costs the same however far it goes;
 * `?filter=` finds by id, by the beginning of an e-mail address, or by a phone number's.
 */
export async function listUsers(visit: AuthVisit): Promise<Response> {
  const { database, url } = visit
  const query = url.searchParams
  const perPage = bounded(query.get('per_page'), 50, maxPerPage)
  const page = bounded(query.get('page'), 1, Number.MAX_SAFE_INTEGER)
  const after = query.has('after') ? placeOf(query.get('after') as string) : null
  const skipped = after === null ? (page - 1) * perPage : 0
  if (skipped + perPage > maxSkipped)
    throw errors.validation(
      `lists by page end after ${maxSkipped} users; go on with ?after= and what the answer before says as next`,
    )
  const { text: condition, parameters } = conditionOf(query.get('filter') ?? '')
  const found = await database.everywhere([
    pageText(condition, parameters, after, skipped + perPage + 1),
    {
      text: `SELECT count(*) AS n FROM (SELECT 1 FROM auth_users WHERE deleted_at IS NULL AND ${condition} LIMIT ${maxCounted})`,
      parameters,
    },
  ])
  const places = found
    .flatMap(([rows = []]) =>
      rows.map((row): Place => ({ at: Number(row.created_at), id: row.id as string })),
    )
    .sort((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1))
    .slice(skipped, skipped + perPage + 1)
  const total = found.reduce((sum, [, rows = []]) => sum + Number((rows[0] as Row).n), 0)
  const shown = places.slice(0, perPage)
  const accounts = await Promise.all(shown.map(({ id }) => database.account(id)))
  const hasMore = places.length > perPage
  const last = shown.at(-1)
  const links = [
    ...(hasMore ? [`<${link(url, page + 1, perPage)}>; rel="next"`] : []),
    `<${link(url, Math.max(1, Math.ceil(total / perPage)), perPage)}>; rel="last"`,
  ]
  return answer(
    {
      users: accounts.filter((one): one is Account => one !== null).map(shownUser),
      aud: 'authenticated',
      next: hasMore && last ? `${last.at}.${last.id}` : null,
    },
    200,
    { 'X-Total-Count': String(total), Link: links.join(', ') },
  )
}

function bounded(said: string | null, otherwise: number, max: number): number {
  const number = said === null || said === '' ? otherwise : Number(said)
  if (!Number.isInteger(number) || number < 0)
    throw errors.validation('Bad Pagination Parameters: they are whole numbers')
  return Math.min(Math.max(number, 1), max)
}

function link(url: URL, page: number, perPage: number): string {
  return `${url.pathname}?page=${page}&per_page=${perPage}`
}

function placeOf(said: string): Place {
  const [, at = '', id = ''] = /^(\d{1,16})\.([0-9a-f-]{36})$/.exec(said) ?? []
  if (!isUuid(id)) throw errors.validation('after is what an answer before has said as next')
  return { at: Number(at), id }
}

function conditionOf(filter: string): { readonly text: string; readonly parameters: readonly string[] } {
  const wanted = filter.trim().toLowerCase()
  if (wanted === '') return { text: 'true', parameters: [] }
  if (isUuid(wanted)) return { text: 'id = ?1', parameters: [wanted] }
  // What begins with it, by the index: the end is above every address that does.
  const beginning = wanted.replace(/^\+/, '')
  return {
    text: '((email >= ?1 AND email < ?2) OR (phone >= ?1 AND phone < ?2))',
    parameters: [beginning, `${beginning}\u{10ffff}`],
  }
}

function pageText(
  condition: string,
  parameters: readonly string[],
  after: Place | null,
  limit: number,
): BoundStatement {
  const n = parameters.length
  const behind =
    after === null
      ? ''
      : `AND created_at <= CAST(?${n + 1} AS INTEGER) AND (created_at < CAST(?${n + 1} AS INTEGER) OR id < ?${n + 2})`
  return {
    text: `SELECT id, created_at FROM auth_users WHERE deleted_at IS NULL AND ${condition} ${behind} ORDER BY created_at DESC, id DESC LIMIT ${limit}`,
    parameters: after === null ? parameters : [...parameters, String(after.at), after.id],
  }
}
