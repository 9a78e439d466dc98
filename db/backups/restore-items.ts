/**
 * What a restore does, one after the other: always the same for the same manifest and plan, so that a number says where it has come to.
 * @module
 */
import type { BackupWorld } from './backup-world.ts'
import type { Manifest } from './format.ts'
import type { AskedRestore, Laid } from './plan-restore.ts'

/** One thing that a restore does. */
export type Item =
  | { readonly kind: 'lay' | 'late'; readonly laid: Laid; readonly part: number }
  | { readonly kind: 'check' | 'take' | 'take rest'; readonly laid: Laid }
  | { readonly kind: 'look'; readonly part: number }
  | { readonly kind: 'lookup'; readonly name: string }
  | { readonly kind: 'copies' | 'sequences' | 'jobs' | 'numbers' | 'forget' | 'whole' }

/** Nothing is taken away before all files are known to be whole. */
function inPlace(parts: Manifest['parts'], laid: readonly Laid[]): Item[] {
  const looks = parts.flatMap(({ tables }, part): Item[] =>
    laid.some(({ table: { name } }) => tables.includes(name)) ? [{ kind: 'look', part }] : [],
  )
  return [...looks, ...takes('take', laid)]
}

/** What refers to others goes before them. */
const takes = (kind: 'take' | 'take rest', laid: readonly Laid[]) =>
  laid.toReversed().map((one): Item => ({ kind, laid: one }))

/** All of them, in their order. */
export function itemsOf(
  { session, catalog }: BackupWorld,
  { parts }: Manifest,
  laid: readonly Laid[],
  asked: AskedRestore,
): Item[] {
  const over = (kind: 'lay' | 'late', some: readonly Laid[]) =>
    some.flatMap((one) =>
      parts.flatMap((part, number): Item[] =>
        part.tables.includes(one.table.name) ? [{ kind, laid: one, part: number }] : [],
      ),
    )
  const unique = laid.flatMap(({ table: { name } }) =>
    (catalog.tables.get(name)?.uniqueAcrossShards ?? []).map(
      (column): Item => ({ kind: 'lookup', name: `${name}.${column}` }),
    ),
  )
  const late = laid.filter(({ foreignKeys }) => foreignKeys.some(({ isLate }) => isLate))
  return [
    { kind: 'forget' },
    ...(asked.into === 'place' ? inPlace(parts, laid) : []),
    ...over(
      'lay',
      laid.filter(({ isRouted }) => !isRouted),
    ),
    { kind: 'copies' },
    ...over(
      'lay',
      laid.filter(({ isRouted }) => isRouted),
    ),
    ...over('late', late),
    // Rows that are as they were no longer refer to what is to go.
    ...(asked.into === 'place' ? takes('take rest', laid) : []),
    { kind: 'sequences' },
    ...(asked.jobs ? [{ kind: 'jobs' } as const] : []),
    { kind: 'numbers' },
    { kind: 'copies' },
    ...(session.cluster.sharded ? unique : []),
    { kind: 'forget' },
    ...laid.map((one): Item => ({ kind: 'check', laid: one })),
    { kind: 'whole' },
  ]
}
