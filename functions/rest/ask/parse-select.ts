import { errors } from '../errors.ts'
import { parseField } from './parse-field.ts'
import type { Aggregate, AggregateName, EmbedItem, FieldItem, SelectItem } from './request.ts'
import { maxDepth, Scanner } from './scanner.ts'

/** A select list whose embedded resources have no filters yet. */
export function parseSelect(text: string): SelectItem[] {
  const scanner = new Scanner('select parameter', text)
  scanner.spaces()
  if (scanner.done) return []
  // What follows an embedded resource or a surplus `)` is passed over, as PostgREST does and its suite asks.
  return parseItems(scanner, 0)
}

function parseItems(scanner: Scanner, depth: number): SelectItem[] {
  if (depth > maxDepth) throw errors.tooDeep('select parameter', maxDepth)
  const items: SelectItem[] = []
  do {
    scanner.spaces()
    const item = parseItem(scanner, depth)
    scanner.spaces()
    if (item.kind !== 'embed' && !scanner.done && !/[,)]/.test(scanner.peek()))
      scanner.fail('"," or end of input')
    items.push(item)
  } while (scanner.take(','))
  return items
}

function parseItem(scanner: Scanner, depth: number): SelectItem {
  if (scanner.take('...')) {
    const start = scanner.at
    const alias = parseAlias(scanner)
    if (alias !== null) scanner.back(start)
    const name = scanner.name()
    return parseEmbed(scanner, name, null, true, depth)
  }
  if (scanner.take('*')) return { kind: 'star' }
  const alias = parseAlias(scanner)
  if (scanner.match(/count\(\)/y)) {
    return {
      kind: 'field',
      field: null,
      alias,
      cast: null,
      aggregate: { name: 'count', cast: parseCast(scanner) },
    }
  }
  const start = scanner.at
  const name = scanner.name()
  if (scanner.peek() === '(' || scanner.peek() === '!') return parseEmbed(scanner, name, alias, false, depth)
  scanner.back(start)
  return parseFieldItem(scanner, alias)
}

/** `alias:` when one is next; `::` is a cast. */
function parseAlias(scanner: Scanner): string | null {
  const start = scanner.at
  if (
    scanner.match(/"(?:[^"\\]|\\[\s\S])*":(?!:)/y) ||
    scanner.match(/(?:[\p{L}\p{N}\p{M}_ $]|-(?!>))+:(?!:)/uy)
  ) {
    const end = scanner.at
    scanner.back(start)
    const alias = scanner.name()
    scanner.back(end)
    return alias
  }
  return null
}

function parseFieldItem(scanner: Scanner, alias: string | null): FieldItem {
  const field = parseField(scanner)
  const cast = parseCast(scanner)
  const aggregate = parseAggregate(scanner)
  return { kind: 'field', field, alias, cast, aggregate }
}

function parseAggregate(scanner: Scanner): Aggregate | null {
  const found = scanner.match(/\.(count|sum|avg|min|max)\(\)/y)
  if (!found) return null
  return { name: found[1] as AggregateName, cast: parseCast(scanner) }
}

function parseCast(scanner: Scanner): string | null {
  if (!scanner.take('::')) return null
  const name = scanner.match(/[a-z_][a-z0-9_ ]*(?:\[\])?/iy)
  if (!name) scanner.fail('a type name')
  return name[0].trim().toLowerCase()
}

function parseEmbed(
  scanner: Scanner,
  target: string,
  alias: string | null,
  spread: boolean,
  depth: number,
): EmbedItem {
  let hint: string | null = null
  let join: 'inner' | 'left' | null = null
  while (scanner.take('!')) {
    const word = scanner.name()
    if (word === 'inner' || word === 'left') join = word
    else hint = word
  }
  scanner.expect('(', '"("')
  scanner.spaces()
  const select = scanner.peek() === ')' ? [] : parseItems(scanner, depth + 1)
  scanner.expect(')', '"," or ")"')
  return {
    kind: 'embed',
    target,
    alias,
    hint,
    join,
    spread,
    resource: { select, where: [], order: [], limit: null, offset: null },
  }
}
