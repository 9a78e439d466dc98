import type { ColumnType } from '../../../db/catalog/catalog.ts'
import { joinBalanced } from '../../../db/sql/join-balanced.ts'
import { quoteName } from '../../../db/sql/quote.ts'
import { parseSearch, placedWords, type SearchOperator } from '../ask/parse-search.ts'
import type { Operator, Value } from '../ask/request.ts'
import { errors } from '../errors.ts'
import type { Bindable } from '../plan/bindings.ts'
import {
  canonicalJson,
  convertArray,
  convertList,
  convertOperand,
  parseArrayLiteral,
} from '../plan/convert-operand.ts'
import type { ComparePredicate, FieldPlan, Predicate } from '../plan/plan.ts'
import {
  comparable,
  compareStored,
  compileIs,
  isOrder,
  jsonComparison,
  known,
  quantified,
  withAffinity,
} from './comparisons.ts'
import { fieldValue, printed, type TypedSql } from './compile-field.ts'
import { compareArray, equalsScalar, type Json, JsonPredicates, orderOfScalar } from './json-predicates.ts'
import { parseJsonOrArray } from './parse-json-operand.ts'
import { globPattern, likePattern, longPattern, lowerAscii, regexPatterns } from './patterns.ts'
import { compareRanges, type RangeOperator, rangeSigns } from './range-predicates.ts'
import { PlaceSearch } from './search-places.ts'
import { searchQuery } from './search-query.ts'
import type { Parameters } from './sql.ts'

const comparisons: Readonly<Partial<Record<Operator, string>>> = {
  eq: '=',
  neq: '<>',
  gt: '>',
  gte: '>=',
  lt: '<',
  lte: '<=',
  isdistinct: 'IS NOT',
}

/** Compiles predicates; what needs rows of other tables is left to `exists`. */
export class PredicateCompiler {
  readonly #parameters: Parameters
  readonly #exists: (predicate: Extract<Predicate, { kind: 'embed' }>) => string
  readonly #json: JsonPredicates
  /** How many negations what is compiled stands in: only there does unknown differ from false. */
  #negations = 0

  constructor(parameters: Parameters, exists: (predicate: Extract<Predicate, { kind: 'embed' }>) => string) {
    this.#parameters = parameters
    this.#exists = exists
    this.#json = new JsonPredicates(parameters)
  }

  compile(predicate: Predicate): string {
    if (predicate.kind === 'embed') return this.#exists(predicate)
    this.#negations += Number(predicate.negated)
    const text = predicate.kind === 'compare' ? this.#compare(predicate) : this.#join(predicate)
    this.#negations -= Number(predicate.negated)
    return negate(predicate.negated, text)
  }

  #join({ kind, terms }: Extract<Predicate, { kind: 'and' | 'or' }>): string {
    const texts = terms.map((term) => `(${this.compile(term)})`)
    return joinBalanced(texts, kind === 'and' ? ' AND ' : ' OR ')
  }

  #compare(predicate: ComparePredicate): string {
    const { field, operator, value } = predicate
    const left = fieldValue(field)
    switch (operator) {
      case 'is':
        return compileIs(printed(left), constantOf(value))
      case 'in': {
        const list = this.#bind(value, (text) => convertList(typed(field, left.type), text))
        if (left.type === 'json') {
          const same = `CASE WHEN json_type(_atoll_q.value) IN ('array','object') THEN json(${left.sql})=json(_atoll_q.value) ELSE ${equalsScalar(left.sql, '_atoll_q.value')} END`
          return known(left.sql, `EXISTS (SELECT 1 FROM json_each(${list}) AS _atoll_q WHERE ${same})`)
        }
        return `${left.sql} IN (SELECT ${comparable('value', left.type)} FROM json_each(${list}))`
      }
      case 'like':
      case 'ilike':
        return this.#like(predicate, patternSubject(left, '~~'))
      case 'match':
      case 'imatch':
        return this.#match(predicate, patternSubject(left, '~'))
      case 'cs':
      case 'cd':
      case 'ov':
        return left.form?.range
          ? this.#compareRange(operator, field, left, value)
          : this.#contain(operator, left, constantOf(value))
      case 'sl':
      case 'sr':
      case 'nxr':
      case 'nxl':
      case 'adj':
        return this.#compareRange(operator, field, left, value)
      case 'fts':
      case 'plfts':
      case 'phfts':
      case 'wfts':
        return this.#search(predicate, operator)
      default:
        return this.#order(predicate, left)
    }
  }

  #order({ field, operator, quantifier, value }: ComparePredicate, left: TypedSql): string {
    const sign = comparisons[operator] as string
    if (left.type === 'json') return this.#compareJson(operator, sign, left, value)
    const as = typed(field, left.type)
    if (quantifier !== null) {
      const list = this.#bind(value, (text) => convertArray(as, text))
      return quantified(left.sql, quantifier, list, (element) =>
        compareStored(operator, sign, left, comparable(element, left.type)),
      )
    }
    const right = comparable(
      this.#bind(value, (text) => convertOperand(as, text)),
      left.type,
    )
    return compareStored(operator, sign, left, field.untyped ? withAffinity(right, left.type) : right)
  }

  #compareRange(
    operator: RangeOperator,
    { column }: FieldPlan,
    { sql, form, type }: TypedSql,
    value: Value,
  ): string {
    if (!form?.range)
      throw errors.undefinedFunction(
        `operator does not exist: ${form?.name ?? type} ${rangeSigns[operator]} unknown`,
        'sl, sr, nxr, nxl and adj compare ranges.',
      )
    const right = this.#bind(value, (text) => convertOperand(column, text))
    return known(sql, compareRanges(operator, sql, right, form.range))
  }

  #compareJson(operator: Operator, sign: string, { sql: left }: TypedSql, value: Value): string {
    if (value.kind === 'operand') {
      const scalar = this.#bind(value, canonicalJson)
      return jsonComparison(
        operator,
        sign,
        left,
        () => equalsScalar(left, scalar),
        () => orderOfScalar(left, scalar),
      )
    }
    const { alternatives, json } = parseJsonOrArray(value.text)
    const [first] = alternatives as [Json, ...Json[]]
    if (json === undefined && isOrder(operator))
      return known(left, compareArray(left, operator, first as readonly Json[], this.#parameters))
    const equals = (alternative: Json) => this.#json.equals(left, alternative)
    return jsonComparison(
      operator,
      sign,
      left,
      () => joinBalanced(alternatives.map(equals), ' OR '),
      () => this.#json.order(left, first),
    )
  }

  #like({ operator, quantifier, value }: ComparePredicate, left: TypedSql): string {
    const text = left.type === 'text' ? left.sql : `CAST(${left.sql} AS TEXT)`
    const convert = operator === 'like' ? globPattern : likePattern
    const matches = (pattern: string) =>
      operator === 'like' ? `${text} GLOB ${pattern}` : `${text} LIKE ${pattern} ESCAPE '\\'`
    if (quantifier !== null) {
      const list = this.#bind(value, (array) =>
        JSON.stringify(parseArrayLiteral(array).map((element) => convert(element ?? ''))),
      )
      return quantified(text, quantifier, list, matches)
    }
    const long = value.kind === 'constant' ? longPattern(value.text, operator === 'ilike') : null
    if (long !== null) {
      const part = this.#parameters.add({ kind: 'constant', value: long.text })
      const subject = operator === 'ilike' ? `lower(${text})` : text
      switch (long.kind) {
        case 'is':
          return `${subject} = ${part}`
        case 'starts':
          return `substr(${subject},1,length(${part})) = ${part}`
        case 'ends':
          return `substr(${subject},-length(${part})) = ${part}`
        case 'holds':
          return `instr(${subject},${part}) > 0`
      }
    }
    if (left.type === 'blob') throw errors.undefinedFunction('operator does not exist: bytea ~~ unknown')
    return matches(this.#bind(value, convert))
  }

  #match({ operator, quantifier, value }: ComparePredicate, left: TypedSql): string {
    const text = left.type === 'text' ? left.sql : `CAST(${left.sql} AS TEXT)`
    const subject = operator === 'imatch' ? `lower(${text})` : text
    const matches = (expression: string) => {
      const patterns = regexPatterns(expression).map((pattern) => {
        const wanted = operator === 'imatch' ? lowerAscii(pattern) : pattern
        return `${subject} GLOB ${this.#parameters.add({ kind: 'constant', value: wanted })}`
      })
      return `(${joinBalanced(patterns, ' OR ')})`
    }
    if (quantifier === null) return matches(constantOf(value))
    const all = parseArrayLiteral(constantOf(value)).map((expression) => matches(expression ?? ''))
    if (all.length === 0) return quantifier === 'any' ? '0' : `${text} IS NOT NULL`
    return joinBalanced(all, quantifier === 'any' ? ' OR ' : ' AND ')
  }

  /** Full-text search over the table's FTS5 index, which holds the rows' ids. */
  #search({ field, value, language }: ComparePredicate, operator: SearchOperator): string {
    const { search, column, alias } = field
    if (!search?.columns.includes(column.name) || field.path.length > 0) {
      throw errors.notSearchable(field.table, column.name)
    }
    const { config } = search
    if (language !== null && language !== config) throw errors.searchLanguage(language, config)
    // Of null, it is not known. Where that says no more than that it is not found, the index is left to find the rows.
    const known = (isFound: string) =>
      this.#negations === 0 ? isFound : `(${isFound} OR (${fieldValue(field).sql} IS NULL AND NULL))`
    const written = value.kind === 'constant' ? parseSearch(operator, value.text, config) : null
    if (written !== null && placedWords(written) > 0) {
      const places = new PlaceSearch(this.#parameters, search, column.name, `${alias}.rowid`)
      return known(`(${fieldValue(field).sql} IS NOT NULL AND (${places.condition(written)}))`)
    }
    const index = quoteName(search.index)
    const query = this.#bind(value, (text) => searchQuery(parseSearch(operator, text, config), column.name))
    const found = `SELECT rowid FROM ${index} WHERE ${index} MATCH substr(${query},2)`
    // Null is found by nothing, nor by what it lacks. Which of both it is, SQLite asks once, and goes by the rows that were found.
    const others = `SELECT rowid FROM ${quoteName(search.of)} WHERE ${quoteName(column.name)} IS NOT NULL AND rowid NOT IN (${found})`
    return known(
      `${alias}.rowid IN (${found} AND ${query} LIKE '+%' UNION ALL ${others} AND ${query} LIKE '-%')`,
    )
  }

  #contain(operator: 'cs' | 'cd' | 'ov', left: TypedSql, text: string): string {
    if (left.type !== 'json') {
      throw errors.undefinedFunction(
        `operator does not exist: ${left.form?.name ?? left.type} ${rangeSigns[operator]} unknown`,
        'cs, cd and ov compare JSON columns and ranges.',
      )
    }
    const { elements, json } = parseJsonOrArray(text)
    if (json !== undefined) {
      if (operator === 'cs') return known(left.sql, this.#json.contains(left.sql, json))
      if (operator === 'cd') return known(left.sql, this.#json.containedIn(left.sql, json))
      return known(left.sql, this.#json.overlaps(left.sql, Array.isArray(json) ? json : [json]))
    }
    if (operator === 'cd') return known(left.sql, this.#json.containedIn(left.sql, elements.flat()))
    const held = elements.map((same) => this.#json.overlaps(left.sql, same))
    const isArray = `json_type(${left.sql})='array'`
    return known(
      left.sql,
      operator === 'ov'
        ? joinBalanced(held.length ? held : ['0'], ' OR ')
        : joinBalanced([isArray, ...held.map((term) => `(${term})`)], ' AND '),
    )
  }

  #bind(value: Value, convert: (text: string) => Bindable): string {
    if (value.kind === 'constant')
      return this.#parameters.add({ kind: 'constant', value: convert(value.text) })
    return this.#parameters.add({ kind: 'operand', index: value.index, convert })
  }
}

function negate(negated: boolean, sql: string): string {
  return negated ? `NOT (${sql})` : sql
}

/** The field's column, seen as the type that its path gives it, or its form. */
function typed({ column, path }: FieldPlan, type: ColumnType) {
  return path.length === 0 && type === column.type ? column : { ...column, type, form: null, values: null }
}

/** What patterns are compared with. */
function patternSubject(left: TypedSql, sign: string): TypedSql {
  if (left.form?.range)
    throw errors.undefinedFunction(`operator does not exist: ${left.form.name} ${sign} unknown`)
  return printed(left)
}

function constantOf(value: Value): string {
  if (value.kind === 'constant') return value.text
  throw new Error('this operator has no operand of its own')
}
