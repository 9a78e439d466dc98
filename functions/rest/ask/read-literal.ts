/**
 * Arguments in a query or a form are text; PostgreSQL reads it by the argument's type. Here it is offered to the argument's schema in
 * every way that it can be read, and taken as the first that the schema takes.
 * @module
 */
import type { z } from 'zod'

type Schema = Pick<z.ZodType, 'safeParse'>

/** @returns the text itself when the schema takes none of it */
export function readLiteral(schema: Schema, text: string): unknown {
  if (takesAnything(schema)) {
    const json = parsed(text)
    return json === undefined ? text : json
  }
  for (const value of readings(text)) {
    if (value !== undefined && schema.safeParse(value).success) return value
  }
  return parsed(text) ?? text
}

/** The elements of an array that come one by one. */
export function readElements(schema: Schema, texts: readonly string[]): unknown[] {
  const asRead = (read: (text: string) => unknown) => texts.map((text) => read(text) ?? text)
  const ways = [(text: string) => text, parsed, booleanOf].map(asRead)
  return ways.find((elements) => schema.safeParse(elements).success) ?? [...texts]
}

/** Whether a schema is for JSON of any kind: then a text is read as such. */
function takesAnything(schema: Schema): boolean {
  return ['a', {}, [0], true].every((value) => schema.safeParse(value).success)
}

/** Whether an argument can be what a text says. */
export function takesText(schema: Schema, text: string): boolean {
  return schema.safeParse(readLiteral(schema, text)).success
}

function* readings(text: string): Generator<unknown> {
  yield text
  yield parsed(text)
  yield booleanOf(text)
  const array = readArray(text)
  if (array === null) return
  yield array
  yield mapped(array, (element) => parsed(element) ?? element)
  yield mapped(array, (element) => booleanOf(element) ?? element)
}

/** What JSON it is; undefined for none. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** As PostgreSQL reads them: any beginning of a word that is no other's. */
function booleanOf(text: string): boolean | undefined {
  const word = text.trim().toLowerCase()
  if (/^(?:t|tr|tru|true|y|ye|yes|on|1)$/.test(word)) return true
  return /^(?:f|fa|fal|fals|false|n|no|of|off|0)$/.test(word) ? false : undefined
}

type Elements = readonly (string | null | Elements)[]

function mapped(elements: Elements, read: (text: string) => unknown): unknown[] {
  return elements.map((element) => {
    if (element === null) return null
    return typeof element === 'string' ? read(element) : mapped(element, read)
  })
}

const token = /\s*(?:([{},])|"((?:[^"\\]|\\[\s\S])*)"|((?:[^{}",\\\s]|\\[\s\S])(?:[^{}",\\]|\\[\s\S])*))\s*/y

/** `{1,2}`, `{"a b",NULL}`, `{{1},{2}}`; null for what is no array. */
function readArray(text: string): Elements | null {
  if (!text.trimStart().startsWith('{')) return null
  const stack: (string | null | Elements)[][] = [[]]
  let expectsElement = true
  token.lastIndex = 0
  let end = 0
  for (let found = token.exec(text); found; found = token.exec(text)) {
    end = token.lastIndex
    const [, mark, quoted, bare] = found
    const top = stack.at(-1) as (string | null | Elements)[]
    if (mark === ',') {
      if (expectsElement || stack.length === 1) return null
      expectsElement = true
    } else if (mark === '}') {
      // Behind a comma there must be something; an empty array has nothing.
      if ((expectsElement && top.length > 0) || stack.length === 1) return null
      stack.pop()
      expectsElement = false
    } else {
      if (!expectsElement) return null
      if (mark === '{') {
        const inner: (string | null | Elements)[] = []
        top.push(inner)
        stack.push(inner)
      } else {
        if (stack.length === 1) return null
        top.push(elementOf(quoted, bare ?? ''))
        expectsElement = false
      }
    }
  }
  return end === text.length && stack.length === 1 ? (stack[0]?.[0] as Elements) : null
}

function elementOf(quoted: string | undefined, bare: string): string | null {
  if (quoted !== undefined) return quoted.replace(/\\([\s\S])/g, '$1')
  const text = bare.trimEnd()
  return text.toUpperCase() === 'NULL' ? null : text.replace(/\\([\s\S])/g, '$1')
}
