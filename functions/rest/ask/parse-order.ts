import { parseField, parseJsonPath } from './parse-field.ts'
import type { Field, OrderTerm } from './request.ts'
import { Scanner } from './scanner.ts'

/** `a.desc.nullslast,b,artists(name).asc` */
export function parseOrder(text: string): OrderTerm[] {
  const scanner = new Scanner('order', text)
  const terms: OrderTerm[] = []
  do {
    scanner.spaces()
    terms.push(parseTerm(scanner))
    scanner.spaces()
  } while (scanner.take(','))
  scanner.end('"," or end of input')
  return terms
}

function parseTerm(scanner: Scanner): OrderTerm {
  const name = scanner.name()
  let embed: string | null = null
  let field: Field = { name, path: parseJsonPath(scanner) }
  if (field.path.length === 0 && scanner.take('(')) {
    embed = name
    field = parseField(scanner)
    scanner.expect(')', '")"')
  }
  const descending = scanner.take('.desc')
  if (!descending) scanner.take('.asc')
  const first = scanner.take('.nullsfirst')
  const last = !first && scanner.take('.nullslast')
  return { embed, field, descending, nulls: first ? 'first' : last ? 'last' : null }
}
