/**
 * Change windows: a generation keeps what its latest changes were, so that an entry with an earlier token can be told to have outlived
 * them. Each is a step: the token that it made, the positions of the change log that it stands for, and which columns of which rows it
 * changed. What is no longer in the window, or not known, makes everything before it old.
 *
 * A step is one line of text, which the store appends and drops without reading what it says:
 * `TOKEN FROM UPTO [[["unit_price"],"12","13"]]`, each list being the columns of an update and the keys of its rows, or no keys for any row.
 * @module
 */
import type { Change } from '../../db/changes/change-log.ts'

/** Most steps of a window, and most characters. */
export const maxSteps = 64
export const maxWindowLength = 4096
/** Of a step that would be longer, only the columns are kept. */
const maxStepLength = 512

/** Updates of some columns: their names, and the keys of the rows as they stand in a JSON array; no keys: of any row. */
export type Touch = readonly [columns: readonly string[], ...keys: readonly string[]]

/** What a generation knows of the changes before it. */
export interface ChangeWindow {
  /** The token that the first step came after; null: the generation's own, so that there are no steps. */
  readonly base: string | null
  /** Positions of the change log up to this one are in what was read under the base, whoever told of them. */
  readonly covered: number
  /** Steps, each after a line break. */
  readonly steps: string
}

/** Nothing before it counts. */
export const noWindow: ChangeWindow = { base: null, covered: 0, steps: '' }

/**
 * What a transaction has changed under one tag, as a step has it, without the token.
 *
 * @param changes those of the tag
 * @param from position of the transaction's first change; 0 like `upTo` when positions of this log say nothing
 * @returns null: anything, as when rows came or went, or nobody knows
 */
export function stepOf(changes: readonly Change[], from: number, upTo: number): string | null {
  const keysOf = new Map<string, string[]>()
  for (const { columns = null, key } of changes) {
    if (columns === null) return null
    const names = JSON.stringify(columns)
    const keys = keysOf.get(names) ?? []
    keysOf.set(names, [...keys, key.slice(1, -1)])
  }
  const touches = [...keysOf].map(([names, keys]): Touch => [JSON.parse(names) as string[], ...keys])
  const text = JSON.stringify(touches)
  const brief =
    text.length <= maxStepLength ? text : JSON.stringify(touches.map(([columns]): Touch => [columns]))
  return brief.length <= maxStepLength ? `${from} ${upTo} ${brief}` : null
}

/** A window with one more step, as `RedisStore` appends it: the oldest steps go, and the base moves with them. */
export function appended(
  before: ChangeWindow & { readonly id: string },
  id: string,
  step: string,
): ChangeWindow {
  let { base, covered } = { ...before, base: before.base ?? before.id }
  let steps = `${before.steps}\n${id} ${step}`
  for (
    let count = steps.split('\n').length - 1;
    count > maxSteps || steps.length > maxWindowLength;
    count--
  ) {
    const end = steps.indexOf('\n', 1)
    const [dropped = '', , upTo] = steps.slice(1, end === -1 ? undefined : end).split(' ', 3)
    base = dropped
    covered = Math.max(covered, Number(upTo))
    steps = end === -1 ? '' : steps.slice(end)
  }
  return { base, covered, steps }
}

/**
 * What has changed since a token was current.
 *
 * @param checked a later token of which it is known already that nothing counts up to it; null: none
 * @returns null when that is not known
 */
export function touchesSince(
  { id, base, steps }: ChangeWindow & { readonly id: string },
  token: string,
  checked: string | null,
): Touch[] | null {
  const after = token === (base ?? id) ? steps : stepsAfter(steps, token)
  if (after === null) return null
  return ((checked === null ? null : stepsAfter(after, checked)) ?? after)
    .split('\n')
    .slice(1)
    .flatMap((line) => JSON.parse(line.slice(line.indexOf('['))) as Touch[])
}

function stepsAfter(steps: string, token: string): string | null {
  const at = steps.indexOf(`\n${token} `)
  if (at === -1) return null
  const end = steps.indexOf('\n', at + 1)
  return end === -1 ? '' : steps.slice(end)
}

/**
 * Whether a change is known to whoever reads under a generation: it is one of the steps, or from before them all. That a later one is says
 * nothing of it: its own writer may have died.
 */
export function isTold({ covered, steps }: ChangeWindow, sequence: number): boolean {
  if (sequence <= covered) return true
  return steps
    .split('\n')
    .slice(1)
    .some((line) => {
      const [, from, upTo] = line.split(' ', 3)
      return Number(from) <= sequence && sequence <= Number(upTo)
    })
}
