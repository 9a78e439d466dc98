/**
 * Measures what a plan asks for and holds it against the caller's budget. The measure is taken once per shape, before the plan is
 * compiled; comparing it costs a request nothing. What depends on operands is looked at when they are there.
 * @module
 */
import { isToOne } from '../../../db/catalog/catalog.ts'
import type { Budget } from '../ask/budget.ts'
import { parseList } from '../ask/parse-filter.ts'
import { isSearchOperator, parseSearch, placedWords } from '../ask/parse-search.ts'
import type { ResourceRequest, RestRequest } from '../ask/request.ts'
import { textOf, type Value } from '../ask/request.ts'
import { errors } from '../errors.ts'
import { type ComparePredicate, type EmbedPlan, embedsOf, type Predicate, type ResourcePlan } from './plan.ts'
import { rangeOf } from './range.ts'

/** The bounds that a plan alone decides. */
type StaticBound =
  | 'embeds'
  | 'toManyLevels'
  | 'returns'
  | 'subqueries'
  | 'columns'
  | 'filters'
  | 'logicLevels'
  | 'operandLength'
  | 'listItems'
  | 'jsonLevels'
  | 'elements'

/** What a plan asks for, and which operands must be looked at. */
export interface PlanCost {
  readonly bounds: Readonly<Record<StaticBound, number>>
  /** Numbers of operands that are `in` lists, arrays, or single values. */
  readonly lists: readonly number[]
  readonly arrays: readonly number[]
  readonly values: readonly number[]
}

/** What one resource is asked for in the statement, with all that lies in it. */
interface Weight {
  /** Times that embedded rows are asked for where the resource is shown, and where it only must be there. */
  readonly shown: number
  readonly exists: number
}

/** @param columns names in the request; the plan's own are more, since `*` is all of them */
export function costOf(request: RestRequest, root: ResourcePlan): PlanCost {
  const bounds: Record<StaticBound, number> = {
    embeds: 0,
    toManyLevels: 0,
    returns: 0,
    subqueries: 0,
    columns: namedColumns(request.root),
    filters: 0,
    logicLevels: 0,
    operandLength: 0,
    listItems: 0,
    jsonLevels: 0,
    elements: 0,
  }
  const lists: number[] = []
  const arrays: number[] = []
  const values: number[] = []
  const atLeast = (bound: StaticBound, asked: number) => {
    if (asked > bounds[bound]) bounds[bound] = asked
  }

  const ofOperand = (value: Value, kind: 'list' | 'array' | 'value') => {
    if (value.kind === 'operand') {
      ;(kind === 'list' ? lists : kind === 'array' ? arrays : values).push(value.index)
      return
    }
    if (kind === 'list') return atLeast('listItems', commasIn(value.text) + 1)
    atLeast('operandLength', value.text.length)
    if (!/^\s*[[{]/.test(value.text)) return
    const { levels, elements } = nestingOf(value.text)
    atLeast('jsonLevels', levels)
    atLeast('elements', elements)
  }

  /** @returns the embeds that the predicate asks for, each as often as it does */
  const ofPredicate = (predicate: Predicate, level: number): EmbedPlan[] => {
    if (predicate.kind === 'embed') {
      bounds.filters++
      return [predicate.embed]
    }
    if (predicate.kind !== 'compare') {
      atLeast('logicLevels', level + 1)
      return predicate.terms.flatMap((term) => ofPredicate(term, level + 1))
    }
    bounds.filters += 1 + wordsToPlace(predicate)
    ofOperand(
      predicate.value,
      predicate.operator === 'in' ? 'list' : predicate.quantifier === null ? 'value' : 'array',
    )
    return []
  }

  const ofResource = (
    resource: ResourcePlan,
    path: readonly string[],
    many: number,
    back: number,
  ): Weight => {
    const weights = new Map<EmbedPlan, Weight>()
    for (const { embed } of embedsOf(resource.output)) {
      bounds.embeds++
      const { name } = embed.resource.table
      const toMany = !isToOne(embed.relation)
      const levels = many + (toMany ? 1 : 0)
      const returns = back + (toMany && path.includes(name) ? 1 : 0)
      atLeast('toManyLevels', levels)
      atLeast('returns', returns)
      weights.set(embed, ofResource(embed.resource, [...path, name], levels, returns))
    }
    const existing = (embed: EmbedPlan) => 1 + (weights.get(embed)?.exists ?? 0)
    const asked = resource.where.flatMap((predicate) => ofPredicate(predicate, 0))
    let filters = asked.reduce((sum, embed) => sum + existing(embed), 0)
    for (const { embed } of embedsOf(resource.output)) if (embed.inner) filters += existing(embed)
    const ordered = resource.order.reduce(
      (sum, { embed }) => sum + (embed === null || embed.kind === 'spread' ? 0 : existing(embed.embed)),
      0,
    )
    const shown = [...weights.values()].reduce((sum, weight) => sum + 1 + weight.shown, 0)
    return { shown: shown + filters + ordered, exists: filters }
  }

  bounds.subqueries = ofResource(root, [root.table.name], 0, 0).shown
  return { bounds, lists, arrays, values }
}

/** @throws BOUND002 to BOUND012 */
export function checkCost({ bounds }: PlanCost, budget: Budget): void {
  for (const bound in bounds) {
    const asked = bounds[bound as StaticBound]
    const allowed = budget[bound as StaticBound]
    if (asked > allowed) throw errors.beyondBudget(bound as StaticBound, asked, allowed)
  }
}

/** @throws what `checkCost` does, for operands, and BOUND014 */
export function checkOperands(
  { lists, arrays, values }: PlanCost,
  operands: readonly string[],
  root: Pick<ResourcePlan, 'limit' | 'offset'>,
  budget: Budget,
): void {
  for (const index of values) {
    const { length } = operands[index] as string
    if (length > budget.operandLength)
      throw errors.beyondBudget('operandLength', length, budget.operandLength)
  }
  for (const index of lists) {
    const text = operands[index] as string
    // Commas within quotes are none: only a list that seems too long is read to count it.
    if (commasIn(text) < budget.listItems) continue
    const { length } = parseList(text)
    if (length > budget.listItems) throw errors.beyondBudget('listItems', length, budget.listItems)
  }
  for (const index of arrays) {
    const { elements } = nestingOf(operands[index] as string)
    if (elements > budget.elements) throw errors.beyondBudget('elements', elements, budget.elements)
  }
  if (root.offset === null) return
  if (!/^\d{1,15}$/.test(textOf(root.offset, operands))) return
  const { offset } = rangeOf({ ...root, limit: null } as ResourcePlan, null, operands)
  if (offset > budget.offset) throw errors.beyondBudget('offset', offset, budget.offset)
}

function namedColumns({ select, order }: ResourceRequest): number {
  return select.reduce(
    (sum, item) => sum + (item.kind === 'embed' ? namedColumns(item.resource) : 1),
    order.length,
  )
}

/** Words of a search whose places are looked at: each is a reading of the index. */
function wordsToPlace({ operator, field, value }: ComparePredicate): number {
  if (!isSearchOperator(operator) || value.kind !== 'constant' || field.search === null) return 0
  const query = parseSearch(operator, value.text, field.search.config)
  return query === null ? 0 : placedWords(query)
}

function commasIn(text: string): number {
  let commas = 0
  for (let at = text.indexOf(','); at >= 0; at = text.indexOf(',', at + 1)) commas++
  return commas
}

/** How deep JSON or an array literal is nested and how many values it holds, as far as its punctuation tells; in one pass. */
function nestingOf(text: string): { readonly levels: number; readonly elements: number } {
  let depth = 0
  let levels = 0
  let elements = 1
  let isText = false
  for (let i = 0; i < text.length; i++) {
    const char = text[i]
    if (isText) {
      if (char === '\\') i++
      else if (char === '"') isText = false
    } else if (char === '"') isText = true
    else if (char === ',') elements++
    else if (char === '[' || char === '{') {
      depth++
      if (depth > levels) levels = depth
      if (depth > 1) elements++
    } else if (char === ']' || char === '}') depth--
  }
  return { levels, elements }
}
