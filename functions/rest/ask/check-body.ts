/**
 * Bounds a body before it is parsed: what JavaScript makes of ten megabytes of `{}` takes thirty times that.
 * @module
 */

import { endOfText } from '../../core/parse-lossless.ts'
import type { PendingWork } from '../../core/pending-work.ts'
import { readBody } from '../../core/read-body.ts'
import { errors } from '../errors.ts'
import type { Budget } from './budget.ts'

type BodyBudget = Pick<Budget, 'bodyBytes' | 'bodyRows' | 'bodyValues'>

/**
 * The text of a body that is within its bounds, refused as soon as it is known not to be.
 *
 * @param maxBytes above what the role may send; what is smaller of both counts
 * @param pending as `readBody` has it
 */
export async function readBoundedBody(
  raw: Request,
  budget: BodyBudget,
  maxBytes: number,
  pending: PendingWork | null,
): Promise<string> {
  const { bodyBytes } = budget
  if (bodyBytes >= maxBytes) return readBody(raw, maxBytes, pending)
  return readBody(raw, bodyBytes, pending, (asked) => errors.beyondBudget('bodyBytes', asked, bodyBytes))
}

/** Shorter texts have room enough, whatever is in them. */
const fewCharacters = 20_000

/**
 * Counts rows and values by their punctuation, in one pass and without making any of them.
 *
 * @param text JSON, CSV or a form
 * @returns values; 0 when they are too few to matter
 * @throws BOUND016, BOUND017
 */
export function checkBody(text: string, isJson: boolean, { bodyRows, bodyValues }: BodyBudget): number {
  // Each row and each value takes a character, and one that parts it from the next.
  if (text.length / 2 < Math.min(bodyRows, bodyValues) && text.length < fewCharacters) return 0
  const { rows, values } = isJson ? countJson(text) : countLines(text)
  if (rows > bodyRows) throw errors.beyondBudget('bodyRows', rows, bodyRows)
  if (values > bodyValues) throw errors.beyondBudget('bodyValues', values, bodyValues)
  return values
}

/**
 * What JavaScript makes of a value, in bytes: objects of a name each take 60 to 90 for each of their two signs, numbers with too many
 * digits 140 (`longValueBytes`), which are texts first.
 */
const valueBytes = 80
const longValueBytes = 160

/**
 * Checks a body, and sees to it that there is room for what is made of it.
 *
 * @param pending null for what is in memory already
 * @throws BOUND016, BOUND017; BOUND030 when there is no room
 */
export async function checkBodyOf(
  raw: Request,
  text: string,
  isJson: boolean,
  budget: BodyBudget,
  pending: PendingWork | null,
): Promise<void> {
  const values = checkBody(text, isJson, budget)
  if (pending === null || values === 0) return
  const each = isJson && /\d{16}/.test(text) ? longValueBytes : valueBytes
  await pending.atLeast(raw, 2 * text.length + each * values)
}

function countJson(text: string): { readonly rows: number; readonly values: number } {
  let depth = 0
  let rows = 1
  let values = 1
  const isList = text.trimStart().startsWith('[')
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x22:
        i = endOfText(text, i)
        break
      case 0x2c:
        values++
        if (depth === 1 && isList) rows++
        break
      case 0x5b:
      case 0x7b:
        values++
        depth++
        break
      case 0x5d:
      case 0x7d:
        depth--
    }
  }
  return { rows, values }
}

/** Lines and cells; quotes hide what is between them, doubled ones too. */
function countLines(text: string): { readonly rows: number; readonly values: number } {
  let isQuoted = false
  let rows = 0
  let values = 1
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i)
    if (char === 0x22) isQuoted = !isQuoted
    else if (isQuoted) continue
    else if (char === 0x0a) rows++
    if (char === 0x2c || char === 0x0a || char === 0x26) values++
  }
  return { rows, values }
}
