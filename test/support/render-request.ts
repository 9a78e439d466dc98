/**
 * Writes a request back as the query that it came from: the parser's counterpart, for the property that both agree.
 * @module
 */
import type {
  Condition,
  EmbedItem,
  Field,
  FilterCondition,
  OrderTerm,
  ResourceRequest,
  SelectItem,
  Value,
} from '../../functions/rest/ask/request.ts'

/** Parameters of the query, in an order that the parser gives back. */
export function renderRequest(root: ResourceRequest): [name: string, value: string][] {
  return [['select', renderSelect(root.select)], ...renderResource(root, '')]
}

function renderResource(resource: ResourceRequest, prefix: string): [string, string][] {
  const parameters: [string, string][] = resource.where.map((condition) =>
    condition.kind === 'filter'
      ? [prefix + renderField(condition.field), renderFilter(condition)]
      : [`${prefix}${condition.negated ? 'not.' : ''}${condition.kind}`, renderTerms(condition.terms)],
  )
  if (resource.order.length > 0)
    parameters.push([`${prefix}order`, resource.order.map(renderOrder).join(',')])
  if (resource.limit) parameters.push([`${prefix}limit`, textOf(resource.limit)])
  if (resource.offset) parameters.push([`${prefix}offset`, textOf(resource.offset)])
  for (const item of resource.select) {
    if (item.kind !== 'embed') continue
    parameters.push(...renderResource(item.resource, `${prefix}${quote(item.alias ?? item.target)}.`))
  }
  return parameters
}

function renderSelect(select: readonly SelectItem[]): string {
  return select.map(renderItem).join(',')
}

function renderItem(item: SelectItem): string {
  if (item.kind === 'star') return '*'
  if (item.kind === 'embed') return renderEmbed(item)
  const alias = item.alias === null ? '' : `${quote(item.alias)}:`
  const aggregateCast = item.aggregate?.cast ? `::${item.aggregate.cast}` : ''
  if (item.field === null) return `${alias}count()${aggregateCast}`
  const cast = item.cast === null ? '' : `::${item.cast}`
  const aggregate = item.aggregate ? `.${item.aggregate.name}()${aggregateCast}` : ''
  return `${alias}${renderField(item.field)}${cast}${aggregate}`
}

function renderEmbed({ spread, alias, target, hint, join, resource }: EmbedItem): string {
  const before = spread ? '...' : alias === null ? '' : `${quote(alias)}:`
  const after = `${hint === null ? '' : `!${quote(hint)}`}${join === null ? '' : `!${join}`}`
  return `${before}${quote(target)}${after}(${renderSelect(resource.select)})`
}

function renderField({ name, path }: Field): string {
  const steps = path.map(
    ({ at, asText }) => `${asText ? '->>' : '->'}${typeof at === 'number' ? at : quote(at)}`,
  )
  return quote(name) + steps.join('')
}

function renderOperator({ negated, operator, quantifier, language }: FilterCondition): string {
  const argument = quantifier ?? language
  return `${negated ? 'not.' : ''}${operator}${argument === null ? '' : `(${argument})`}.`
}

function renderFilter(filter: FilterCondition): string {
  return renderOperator(filter) + textOf(filter.value)
}

function renderTerms(terms: readonly Condition[]): string {
  const rendered = terms.map((term) =>
    term.kind === 'filter'
      ? `${renderField(term.field)}.${renderOperator(term)}${term.operator === 'in' ? textOf(term.value) : quote(textOf(term.value))}`
      : `${term.negated ? 'not.' : ''}${term.kind}${renderTerms(term.terms)}`,
  )
  return `(${rendered.join(',')})`
}

function renderOrder({ embed, field, descending, nulls }: OrderTerm): string {
  const place = embed === null ? renderField(field) : `${quote(embed)}(${renderField(field)})`
  return `${place}.${descending ? 'desc' : 'asc'}${nulls === null ? '' : `.nulls${nulls}`}`
}

function quote(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`
}

function textOf(value: Value): string {
  if (value.kind === 'constant') return value.text
  throw new Error('an operand has no text of its own')
}
