/**
 * Which of the migrations that are missing go before a deployment, and which after: what adds goes before, as the version that runs bears it
 * and the one that comes needs it; what takes away goes after.
 * @module
 */
import type { Effect } from './effect.ts'
import type { MigrationReport } from './migrate-cluster.ts'
import type { Migration } from './migration.ts'

/** In which order migrations and a deployment are carried out. */
export interface ReleaseOrder {
  /** All up to the last that is applied before the deployment, those that databases have included. */
  readonly before: readonly Migration[]
  /** Names of those that are applied once the new version answers. */
  readonly after: readonly string[]
  /**
   * Those of them that the new version needs all the same, or whose successors it needs: neither order keeps both versions working. The clauses say why.
   */
  readonly torn: readonly { readonly name: string; readonly effects: readonly Effect[] }[]
}

/** @param reports of a plan: what is missing on each database, and what it does */
export function releaseOrder(
  migrations: readonly Migration[],
  reports: readonly MigrationReport[],
): ReleaseOrder {
  const effects = new Map<string, readonly Effect[]>()
  for (const { migration, effects: own } of reports.flatMap(({ planned }) => planned))
    effects.set(migration.name, own)
  const first = migrations.findIndex(({ name }) => effects.get(name)?.some(({ kind }) => kind === 'contract'))
  if (first < 0) return { before: migrations, after: [], torn: [] }
  const after = migrations.slice(first).flatMap(({ name }) => (effects.has(name) ? [name] : []))
  return {
    before: migrations.slice(0, first),
    after,
    torn: after.flatMap((name) => {
      const needed = (effects.get(name) ?? []).filter(({ isNeeded }) => isNeeded)
      return needed.length === 0 ? [] : [{ name, effects: needed }]
    }),
  }
}
