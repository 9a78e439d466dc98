/**
 * What a read asks for, written in one way however it was put: requests of equal texts and operands have the same answer.
 * @module
 */
import type { Condition, Field, ResourceRequest, RestRequest, SelectItem, Value } from './request.ts'

/**
 * All that the answer to a read depends on but its operands, which it names by their numbers: made of what was understood, not of what was
 * said. Left out is what only headers tell (`HEAD` has the body of `GET`, kept for both), and what is the same as nothing.
 *
 * @returns JSON
 */
export function canonicalRequest(
  { table, root, media, preferences: { count, timezone, partial } }: RestRequest,
  schema: string,
): string {
  const kind = media.nullsStripped ? `${media.kind}!` : media.kind
  return JSON.stringify([schema, table, kind, count, timezone, partial, resource(root)])
}

function resource({ select, where, order, limit, offset }: ResourceRequest): unknown[] {
  const terms = order.map(({ embed, field: by, descending, nulls }) => [
    embed,
    field(by),
    descending ? 1 : 0,
    // What PostgreSQL does when nothing is said.
    nulls === (descending ? 'first' : 'last') ? null : nulls,
  ])
  return [select.map(item), where.map(condition), terms, limit && value(limit), offset && value(offset)]
}

function item(one: SelectItem): unknown {
  switch (one.kind) {
    case 'star':
      return '*'
    case 'field': {
      const { field: of, alias, cast, aggregate } = one
      const isOwnName = of !== null && of.path.length === 0 && aggregate === null && alias === of.name
      const called = isOwnName ? null : alias
      return [of && field(of), called, cast, aggregate && [aggregate.name, aggregate.cast]]
    }
    case 'embed': {
      const { target, alias, hint, join, spread, resource: inner } = one
      return { e: [target, alias, hint, join === 'inner' ? 1 : 0, spread ? 1 : 0, ...resource(inner)] }
    }
  }
}

function condition(one: Condition): unknown {
  if (one.kind !== 'filter') return [one.kind, one.negated ? 1 : 0, one.terms.map(condition)]
  const { field: of, negated, operator, quantifier, language } = one
  return [field(of), negated ? 1 : 0, operator, quantifier, language, value(one.value)]
}

/** Steps of a path are told apart from names by being pairs. */
function field({ name, path }: Field): unknown {
  return [name, ...path.map(({ at, asText }) => [at, asText ? 1 : 0])]
}

function value(of: Value): unknown {
  return of.kind === 'operand' ? of.index : [of.text]
}
