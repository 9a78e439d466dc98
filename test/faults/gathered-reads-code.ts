/**
 * The code that gathers reads, as it is, or with one of its rules broken on purpose; and these rules.
 * @module
 */
import type { Database } from '../../db/cluster/database.ts'
import type { fenceFor } from '../../db/cluster/fence.ts'
import type { LightTexts } from '../../db/cluster/light-texts.ts'
import type { openSession } from '../../db/cluster/open-session.ts'
import type { RetryBudget } from '../../db/cluster/retry-budget.ts'
import type { SchemaCheck } from '../../db/cluster/schema-check.ts'
import type { MovedError } from '../../db/errors/constraint-error.ts'
import { type CodeMutant, loadMutant } from './load-mutant.ts'

export interface GatheredCode {
  readonly Database: typeof Database
  readonly fenceFor: typeof fenceFor
  readonly LightTexts: typeof LightTexts
  readonly openSession: typeof openSession
  readonly RetryBudget: typeof RetryBudget
  readonly SchemaCheck: typeof SchemaCheck
  readonly MovedError: typeof MovedError
}

/** Loads the code with a rule broken; as it is for null. */
export function loadGathered(mutant: CodeMutant | null): Promise<GatheredCode> {
  return loadMutant(
    `export { Database } from './db/cluster/database.ts'
export { fenceFor } from './db/cluster/fence.ts'
export { LightTexts } from './db/cluster/light-texts.ts'
export { openSession } from './db/cluster/open-session.ts'
export { RetryBudget } from './db/cluster/retry-budget.ts'
export { SchemaCheck } from './db/cluster/schema-check.ts'
export { MovedError } from './db/errors/constraint-error.ts'`,
    /db\/cluster\/.*\.ts$/,
    mutant,
  )
}

const gathered = 'db/cluster/gathered-reads.ts'
const database = 'db/cluster/database.ts'

export const gatheredMutants: readonly CodeMutant[] = [
  {
    name: "asks at one's bookmark and not at the latest",
    file: gathered,
    from: '.sort()\n    .reverse()',
    to: '',
  },
  {
    name: 'asks at the earliest bookmark',
    file: gathered,
    from: '.reverse()',
    to: '',
  },
  {
    name: 'lets those who want the primary go to a replica with others',
    file: gathered,
    from: 'kindOf(waiter.constraint) === kindOf(own.constraint)',
    to: 'true',
  },
  {
    name: "tells one's error to all",
    file: database,
    from: 'if (!isOfStatement(turn.error))',
    to: 'if (true)',
  },
  {
    name: 'takes a refusal for an error that nobody knows',
    file: gathered,
    from: "new Error(fence.kind === 'copies' ? staleCopyMark : movedMark)",
    to: "new Error('moved')",
  },
  {
    name: "takes one's refusal for everybody's",
    file: 'db/cluster/fence.ts',
    from: '!fence.slots.some((slot) => lost.has(slot))',
    to: 'false',
  },
  {
    name: 'looks at no fence',
    file: gathered,
    from: 'isOwned(fence, results[0]?.results[0])',
    to: 'true',
  },
  {
    name: 'fences none but the first',
    file: gathered,
    from: 'gatheredFence(fences)]',
    to: 'gatheredFence(fences.slice(0, 1))]',
  },
  {
    name: 'takes statements of one text for the same',
    file: gathered,
    from: 'a.parameters.length === b.parameters.length &&',
    to: 'true ||',
  },
  {
    name: 'takes along what was slow',
    file: database,
    from: 'isWorded && this.#light.has(text)',
    to: 'isWorded',
  },
  {
    name: 'forgets where a batch was answered',
    file: database,
    from: 'session.note(this.name, bookmark)',
    to: 'if (results.length === 0) session.note(this.name, bookmark)',
  },
  {
    name: 'waits for a call that never comes back',
    file: gathered,
    from: 'await within(maxWaitMs, first)',
    to: 'await first',
  },
  {
    name: 'gives what was read before it was asked for',
    file: gathered,
    from: '{ results, bookmark, ms }: Answered): Signal {',
    to: `answered: Answered): Signal {
    const kept = (globalThis as unknown as { kept: Map<string, [string, Answered]> }).kept
    const asked = JSON.stringify(statements)
    if (kept.get(asked)?.[0] === 'first-primary') return { kind: 'answered', answered: kept.get(asked)![1] }
    const { results, bookmark, ms } = answered
    kept.set(asked, ['first-primary', { results: places.map((place) => results[place] as D1Result<Row>), bookmark, ms }])`,
  },
]
