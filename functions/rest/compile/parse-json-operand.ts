import { parseLosslessJson } from '../../core/parse-json.ts'
import { errors } from '../errors.ts'
import { parseArrayLiteral } from '../plan/convert-operand.ts'
import type { Json } from './json-predicates.ts'

/** What an operand of a JSON column may mean. */
export interface JsonOrArray {
  /** What the text may mean as a whole. */
  readonly alternatives: readonly Json[]
  readonly json: Json | undefined
  /** Elements of an array literal, each as what it may mean: a number is also the text of its digits. */
  readonly elements: readonly (readonly Json[])[]
}

/** JSON, or PostgreSQL's array literal `{a,b}`. */
export function parseJsonOrArray(text: string): JsonOrArray {
  try {
    const json = parseLosslessJson(text) as Json
    return { alternatives: text.trim() === '{}' ? [{}, []] : [json], json, elements: [] }
  } catch {
    if (!text.trimStart().startsWith('{')) throw errors.invalidText('json', text)
    const elements = parseArrayLiteral(text).map((element): Json[] => {
      if (element === null) return [null]
      const number = element.trim() === '' ? Number.NaN : Number(element)
      return Number.isFinite(number) ? [number, element] : [element]
    })
    const numbers = elements.map((same) => same[0] as Json)
    const texts = elements.map((same) => same.at(-1) as Json)
    return { alternatives: [numbers, texts], json: undefined, elements }
  }
}
