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
  | { readonly kind: 'check'; readonly laid: Laid }
  | { readonly kind: 'lookup'; readonly name: string }
  | { readonly kind: 'copies' | 'sequences' | 'jobs' | 'numbers' | 'forget' | 'whole' }

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
