import { errors } from '../errors.ts'
import { parseField, parseJsonPath } from './parse-field.ts'
import type { Condition, Field, FilterCondition, LogicCondition, Operator, Value } from './request.ts'
import { maxDepth, Scanner, unescaped } from './scanner.ts'

const operatorPattern =
  /(not\.)?(eq|neq|gte|gt|lte|lt|like|ilike|match|imatch|isdistinct|in|is|cs|cd|ov|fts|plfts|phfts|wfts|sl|sr|nxr|nxl|adj)(?:\((any|all)\)|\(([a-z_]+)\))?\./iy

const quantifiable = new Set(['eq', 'gt', 'gte', 'lt', 'lte', 'like', 'ilike', 'match', 'imatch'])
const fullText = new Set(['fts', 'plfts', 'phfts', 'wfts'])
const rangeOperators: ReadonlySet<Operator> = new Set(['sl', 'sr', 'nxr', 'nxl', 'adj', 'ov', 'cs', 'cd'])

type ParsedOperator = Pick<FilterCondition, 'negated' | 'operator' | 'quantifier' | 'language'>

/**
 * `eq.5`, `not.in.(1,2)`, `like(any).{a*,b*}`.
 *
 * @param operand number of the value when it was taken off `text` already; null when it is part of it
 */
export function parseFilter(field: Field, text: string, operand: number | null): FilterCondition {
  const scanner = new Scanner('filter', text)
  const operator = parseOperator(scanner)
  const value: Value =
    operand === null ? { kind: 'constant', text: scanner.rest() } : { kind: 'operand', index: operand }
  return { kind: 'filter', field, ...operator, value }
}

function parseOperator(scanner: Scanner): ParsedOperator {
  const start = scanner.at
  const found = scanner.match(operatorPattern)
  const [, not, name = '', quantifier, language] = found ?? []
  const operator = name.toLowerCase()
  const misplaced =
    (quantifier !== undefined && !quantifiable.has(operator)) ||
    (language !== undefined && !fullText.has(operator))
  if (!found || misplaced) {
    scanner.back(start)
    scanner.fail('"not" or operator (eq, gt, ...)')
  }
  return {
    negated: not !== undefined,
    operator: operator as Operator,
    quantifier: (quantifier?.toLowerCase() as 'any' | 'all' | undefined) ?? null,
    language: language ?? null,
  }
}

/** `(a.eq.1,or(b.gt.2,not.and(c.is.null,d.in.(1,2))))` behind `and=` or `or=`. */
export function parseLogic(kind: 'and' | 'or', negated: boolean, text: string): LogicCondition {
  const scanner = new Scanner('logic tree', text)
  return { kind, negated, terms: parseTerms(scanner, 0) }
}

function parseTerms(scanner: Scanner, depth: number): Condition[] {
  if (depth > maxDepth) throw errors.tooDeep('logic tree', maxDepth)
  scanner.spaces()
  scanner.expect('(', '"("')
  const terms: Condition[] = []
  do {
    scanner.spaces()
    terms.push(parseTerm(scanner, depth))
    scanner.spaces()
  } while (scanner.take(','))
  scanner.expect(')', '"," or ")"')
  return terms
}

function parseTerm(scanner: Scanner, depth: number): Condition {
  const logic = scanner.match(/(not\.)?(and|or)(?=\s*\()/y)
  if (logic) {
    return {
      kind: logic[2] as 'and' | 'or',
      negated: logic[1] !== undefined,
      terms: parseTerms(scanner, depth + 1),
    }
  }
  const field = parseField(scanner)
  scanner.expect('.', '"not" or operator (eq, gt, ...)')
  const operator = parseOperator(scanner)
  return {
    kind: 'filter',
    field,
    ...operator,
    value: { kind: 'constant', text: logicValue(scanner, operator) },
  }
}

/** A value inside a logic tree ends at a comma or parenthesis, unless it is quoted, a list or an array. */
function logicValue(scanner: Scanner, { operator }: ParsedOperator): string {
  if (operator === 'in') return `(${listText(scanner)})`
  const quoted = scanner.match(/"(?:[^"\\]|\\[\s\S])*"(?=\s*[,)]|$)/y)
  if (quoted) return unescaped(quoted[0].slice(1, -1))
  const array = scanner.match(/\{[^{}]*\}(?=\s*[,)]|$)/y)
  if (array) return array[0]
  const range = rangeOperators.has(operator)
    ? scanner.match(/[[(](?:[^",()[\]]|"[^"]*")*,(?:[^",()[\]]|"[^"]*")*[\])](?=\s*[,)])/y)
    : null
  if (range) return range[0]
  return (scanner.match(/[^,)]*/y)?.[0] ?? '').trimEnd()
}

/** What stands between the parentheses of a list, element by element, so that no text makes it start over. */
function listText(scanner: Scanner): string {
  scanner.spaces()
  scanner.expect('(', '"("')
  const elements: string[] = []
  do {
    elements.push(
      (scanner.match(/\s*"(?:[^"\\]|\\[\s\S])*"\s*(?=[,)])/y) ?? scanner.match(/[^,)]*/y))?.[0] ?? '',
    )
  } while (scanner.take(','))
  scanner.expect(')', '"," or ")"')
  return elements.join(',')
}

/** Elements of `(a,"b, c",d)`; none for `()`. */
export function parseList(text: string): string[] {
  const scanner = new Scanner('filter', text)
  scanner.spaces()
  scanner.expect('(', '"("')
  if (/^\s*\)\s*$/.test(text.slice(scanner.at))) return []
  const elements: string[] = []
  do {
    const quoted = scanner.match(/\s*"((?:[^"\\]|\\[\s\S])*)"\s*(?=[,)])/y)
    elements.push(quoted ? unescaped(quoted[1] as string) : (scanner.match(/[^,)]*/y)?.[0] ?? ''))
  } while (scanner.take(','))
  scanner.expect(')', '"," or ")"')
  scanner.spaces()
  scanner.end('end of input')
  return elements
}

/** A parameter's name: the embedded resources on the way, and what is filtered or set there. */
export interface ParameterName {
  readonly embeds: readonly string[]
  readonly field: Field
}

/** `tasks.projects.name`, `data->a->>b`, `"a.b"`. */
export function parseParameterName(name: string): ParameterName {
  const scanner = new Scanner('tree path', name)
  const names = [scanner.name()]
  while (scanner.take('.')) names.push(scanner.name())
  const path = parseJsonPath(scanner)
  scanner.end('"." or "->" or end of input')
  return { embeds: names.slice(0, -1), field: { name: names.at(-1) as string, path } }
}
