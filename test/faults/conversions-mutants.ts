import type { Placed } from './conversions.ts'
import type { CodeMutant } from './load-mutant.ts'

/** A rule that is broken, and a conversion that shows it. */
export interface ConversionsMutant extends CodeMutant {
  readonly pair: readonly [from: Placed, to: Placed]
  /** Whether it takes long, or several schedules, to show: looked for only when `ATOLL_CONVERSIONS` says how many. */
  readonly isRare?: boolean
}

export const conversionsMutants: readonly ConversionsMutant[] = [
  {
    name: 'does not ask before each batch where tables lie',
    file: 'db/cluster/schema-check.ts',
    from: 'return this.#isPassed && !this.#asksAlways ? [] : [this.#statement]',
    to: 'return this.#isPassed ? [] : [this.#statement]',
    pair: ['local', 'by owner'],
  },
  {
    name: 'lets others write while tables change',
    file: 'db/conversions/convert.ts',
    from: 'WHERE name IN (SELECT value FROM json_each(?1))`,\n      parameters: [names],',
    to: 'WHERE 0 AND name IN (SELECT value FROM json_each(?1))`,\n      parameters: [names],',
    pair: ['local', 'by owner'],
    isRare: true,
  },
  {
    name: 'does not enter what has changed since',
    file: 'db/conversions/convert.ts',
    from: 'await fillChanged(primary, columns, conversion.position ?? 0)',
    to: '',
    pair: ['local', 'by owner'],
  },
  {
    name: 'leaves copies on shards',
    file: 'db/conversions/convert.ts',
    from: 'await takeCopiesAway(world, conversion)',
    to: '',
    pair: ['copied', 'by owner'],
    isRare: true,
  },
  {
    name: 'changes tables before slots have come together',
    file: 'db/conversions/convert.ts',
    from: 'if (others.length > 0) {',
    to: 'if (others.length > 99) {',
    pair: ['by owner', 'local'],
    isRare: true,
  },
  {
    name: 'does not bring slots back',
    file: 'db/conversions/bring-slots.ts',
    from: `  await askFor(world, spreadPrefix(conversion), back)
  return back.length > 0`,
    to: '  return back.length > 99',
    pair: ['local', 'by owner'],
    isRare: true,
  },
]
