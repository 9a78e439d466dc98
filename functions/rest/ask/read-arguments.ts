/**
 * What a call of a function brings: arguments by their names, from a query, JSON or a form; and the body as it is, for functions that take
 * that.
 * @module
 */
import { isRawNumber, parseJson } from '../../core/parse-json.ts'
import type { PendingWork } from '../../core/pending-work.ts'
import { readBytesOf } from '../../core/read-text.ts'
import { errors } from '../errors.ts'
import type { Budget } from './budget.ts'
import { checkBodyOf, readBoundedBody } from './check-body.ts'
import { mediaType, parsePayload } from './parse-payload.ts'

/** How a body can be taken as it is; null for one that cannot. */
export type WholeKind = 'json' | 'text' | 'xml' | 'bytes' | null

export interface Sent {
  /** Null when the body is of a kind that has none. Of a query or a form, all texts of each name. */
  readonly named: Readonly<Record<string, unknown>> | null
  /** True when values are lists of texts, as from a query or a form. */
  readonly textual: boolean
  readonly whole: { readonly kind: WholeKind; readonly value: unknown }
  /** As it was sent; of bytes, each as a character of its own. */
  readonly body: string
}

const wholeKinds: Readonly<Record<string, WholeKind>> = {
  'application/json': 'json',
  'text/plain': 'text',
  'text/xml': 'xml',
  'application/xml': 'xml',
  'application/octet-stream': 'bytes',
}

/** Arguments of a GET. */
export function argumentsOfQuery(url: URL, isArgument: (name: string, value: string) => boolean): Sent {
  const pairs = [...url.searchParams].filter(([name, value]) => name !== 'apikey' && isArgument(name, value))
  return { named: textsOf(pairs), textual: true, whole: { kind: null, value: null }, body: '' }
}

/**
 * Arguments of a POST.
 *
 * @param bodyBytes the most that the function takes
 * @throws AtollError `PGRST102` for a body that is not what it says, 415 for types that no function takes; as `readBoundedBody`
 */
export async function argumentsOfBody(
  raw: Request,
  url: URL,
  bodyBytes: number,
  budget: Budget,
  maxBytes: number,
  pending: PendingWork | null,
): Promise<Sent> {
  const type = mediaType(raw.headers.get('content-type') ?? '')
  const kind = wholeKinds[type] ?? null
  const bounds = { ...budget, bodyBytes }
  if (kind === 'bytes') {
    const most = Math.min(bodyBytes, maxBytes)
    const tooLarge = () =>
      bodyBytes < maxBytes ? errors.beyondBudget('bodyBytes', null, bodyBytes) : errors.bodyTooLarge(maxBytes)
    const bytes = await readBytes(raw, pending, most, tooLarge)
    const body = new TextDecoder('latin1').decode(bytes)
    return { named: null, textual: false, whole: { kind, value: bytes }, body }
  }
  const body = await readBoundedBody(raw, bounds, maxBytes, pending)
  if (kind === 'text' || kind === 'xml') {
    return { named: null, textual: false, whole: { kind, value: body }, body }
  }
  // Arguments are no rows: an argument may be a list of as many values as the body may hold.
  await checkBodyOf(raw, body, kind === 'json', { ...bounds, bodyRows: budget.bodyValues }, pending)
  const isChosen = chosenBy(url)
  if (kind === 'json') {
    const value = body === '' ? {} : parseJson(body)
    const first = Array.isArray(value) ? value[0] : value
    const named = Object.entries(isObject(first) ? first : {}).filter(([name]) => isChosen(name))
    return { named: Object.fromEntries(named), textual: false, whole: { kind, value }, body }
  }
  const whole = { kind, value: null }
  if (type === 'application/x-www-form-urlencoded') {
    const pairs = [...new URLSearchParams(body)].filter(([name]) => isChosen(name))
    return { named: textsOf(pairs), textual: true, whole, body }
  }
  if (type !== 'text/csv') throw errors.contentType(type)
  const row = Object.entries(parsePayload(body, type, null).rows[0] ?? {}).filter(([name]) => isChosen(name))
  const named = Object.fromEntries(row.map(([name, text]) => [name, [text]]))
  return { named, textual: true, whole, body }
}

async function readBytes(
  raw: Request,
  pending: PendingWork | null,
  maxBytes: number,
  tooLarge: () => Error,
): Promise<Uint8Array<ArrayBuffer>> {
  if (pending !== null) return readBytesOf(raw, pending, maxBytes, tooLarge)
  const bytes = new Uint8Array(await raw.arrayBuffer())
  if (bytes.length > maxBytes) throw tooLarge()
  return bytes
}

/** With `columns`, only the arguments that it names are taken. */
function chosenBy(url: URL): (name: string) => boolean {
  const columns = url.searchParams.get('columns')
  if (columns === null || columns === '') return () => true
  const names = new Set(columns.split(',').map((name) => name.trim().replace(/^"(.*)"$/, '$1')))
  return (name) => names.has(name)
}

function textsOf(pairs: readonly (readonly [string, string])[]): Readonly<Record<string, readonly string[]>> {
  const texts = new Map<string, string[]>()
  for (const [name, text] of pairs) {
    const own = texts.get(name)
    if (own) own.push(text)
    else texts.set(name, [text])
  }
  return Object.fromEntries(texts)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawNumber(value)
}
