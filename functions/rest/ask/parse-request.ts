import { errors } from '../errors.ts'
import { chooseMedia } from './media.ts'
import { type ParameterName, parseFilter, parseLogic, parseParameterName } from './parse-filter.ts'
import { parseOrder } from './parse-order.ts'
import { parsePreferences } from './parse-preferences.ts'
import { parseSelect } from './parse-select.ts'
import type {
  Action,
  Condition,
  EmbedItem,
  ResourceRequest,
  RestRequest,
  SelectItem,
  Value,
} from './request.ts'
import { Scanner } from './scanner.ts'
import type { Parameter, ShapeHeaders } from './shape.ts'

export interface ParseOptions {
  /** Whether filters may name an embedded resource by its table although it has an alias. */
  readonly legacyTargetNames: boolean
  /** Whether the `tx` preference counts. */
  readonly txRollback: boolean
}

const actions: Readonly<Record<string, Action>> = {
  GET: 'read',
  HEAD: 'read',
  POST: 'insert',
  PATCH: 'update',
  PUT: 'upsert',
  DELETE: 'delete',
}

/** Turns one request's shape into what it wants. Operands are left to be bound. */
export function parseRequest(
  table: string,
  parameters: readonly Parameter[],
  headers: ShapeHeaders,
  options: ParseOptions,
): RestRequest {
  const action = actions[headers.method]
  if (action === undefined) throw errors.method(headers.method)
  const preferred = parsePreferences(headers.prefer)
  const preferences = options.txRollback ? preferred : { ...preferred, tx: null }
  const select = parameters.findLast((parameter) => parameter.name === 'select')
  const items = select === undefined ? [] : parseSelect(select.text)
  // supabase-js sends an empty list for `.select('')`.
  const root = draftOf(items.length === 0 ? [{ kind: 'star' }] : items)
  let columns: readonly string[] | null = null
  let onConflict: readonly string[] | null = null
  for (const parameter of parameters) {
    if (parameter.name === 'select') continue
    if (parameter.name === 'columns') columns = parseNames('columns parameter', parameter.text)
    else if (parameter.name === 'on_conflict')
      onConflict = parseNames('on_conflict parameter', parameter.text)
    else apply(parameter, root, options)
  }
  return {
    action,
    table,
    headersOnly: headers.method === 'HEAD',
    root: root.resource(),
    media: chooseMedia(headers.accept),
    preferences,
    columns,
    onConflict,
    legacyNames: legacyNamesOf(root),
  }
}

function legacyNamesOf({ embeds }: Draft): RestRequest['legacyNames'] {
  return embeds.flatMap(({ item: { target, alias }, draft }) => [
    ...(draft.isCalledByTarget && alias !== null ? [[target, alias] as const] : []),
    ...legacyNamesOf(draft),
  ])
}

function parseNames(what: string, text: string): string[] {
  const scanner = new Scanner(what, text)
  const names: string[] = []
  do {
    scanner.spaces()
    names.push(scanner.name())
    scanner.spaces()
  } while (scanner.take(','))
  scanner.end('"," or end of input')
  return names
}

/** A resource while its filters are being collected. */
interface Draft {
  readonly embeds: readonly { readonly item: EmbedItem; readonly draft: Draft }[]
  readonly where: Condition[]
  order: ResourceRequest['order']
  limit: Value | null
  offset: Value | null
  /** Whether a parameter means it by its target's name, although it has an alias. */
  isCalledByTarget: boolean
  resource(): ResourceRequest
}

function draftOf(select: readonly SelectItem[]): Draft {
  const drafts = new Map<SelectItem, Draft>()
  for (const item of select) if (item.kind === 'embed') drafts.set(item, draftOf(item.resource.select))
  const draft: Draft = {
    embeds: [...drafts].map(([item, inner]) => ({ item: item as EmbedItem, draft: inner })),
    where: [],
    order: [],
    limit: null,
    offset: null,
    isCalledByTarget: false,
    resource: () => ({
      select: select.map((item) =>
        item.kind === 'embed' ? { ...item, resource: (drafts.get(item) as Draft).resource() } : item,
      ),
      where: draft.where,
      order: draft.order,
      limit: draft.limit,
      offset: draft.offset,
    }),
  }
  return draft
}

function apply(parameter: Parameter, root: Draft, options: ParseOptions): void {
  const name = splitName(parameter.name)
  for (const target of resolve(name.embeds, root, options)) {
    switch (name.keyword) {
      case 'order':
        target.order = [...target.order, ...parseOrder(parameter.text)]
        break
      case 'limit':
      case 'offset':
        target[name.keyword] = { kind: 'operand', index: parameter.operand as number }
        break
      case 'and':
      case 'or':
        target.where.push(parseLogic(name.keyword, name.negated, parameter.text))
        break
      default:
        target.where.push(parseFilter(name.field, parameter.text, parameter.operand))
    }
  }
}

type SplitName =
  | { readonly keyword: 'order' | 'limit' | 'offset'; readonly embeds: readonly string[] }
  | { readonly keyword: 'and' | 'or'; readonly negated: boolean; readonly embeds: readonly string[] }
  | ({ readonly keyword: null } & ParameterName)

const keywordPattern = /^(?:(.+?)\.)??(order|limit|offset|(?:not\.)?and|(?:not\.)?or)$/s

function splitName(name: string): SplitName {
  const found = keywordPattern.exec(name)
  const keyword = found?.[2]
  if (keyword === undefined) return { keyword: null, ...parseParameterName(name) }
  const path = found?.[1]
  const names = path === undefined ? null : parseParameterName(path)
  const embeds = names === null ? [] : [...names.embeds, names.field.name]
  if (keyword === 'order' || keyword === 'limit' || keyword === 'offset') return { keyword, embeds }
  return { keyword: keyword.endsWith('and') ? 'and' : 'or', negated: keyword.startsWith('not.'), embeds }
}

/** The embedded resources that a path leads to: one, or several when a table is embedded more than once. */
function resolve(path: readonly string[], root: Draft, options: ParseOptions): Draft[] {
  let found = [root]
  for (const name of path) {
    const embeds = found.flatMap((draft) => draft.embeds)
    const byAlias = embeds.filter(({ item }) => (item.alias ?? item.target) === name)
    const byTarget = embeds.filter(({ item }) => item.alias !== null && item.target === name)
    if (byAlias.length === 0 && byTarget.length > 0 && !options.legacyTargetNames) {
      throw errors.targetNameWithAlias(name, byTarget[0]?.item.alias as string)
    }
    const next = byAlias.length > 0 ? byAlias : byTarget
    if (next.length === 0) throw errors.notEmbedded(name)
    if (byAlias.length === 0) for (const { draft } of next) draft.isCalledByTarget = true
    found = next.map(({ draft }) => draft)
  }
  return found
}
