/**
 * Which backups are kept, by rules; the others go. And since when bytes of files are kept for the sake of backups.
 * @module
 */
import type { ClusterSession } from '../cluster/session.ts'
import type { BoundStatement } from '../sql/statement.ts'
import type { BackupWorld } from './backup-world.ts'
import { BadManifest, folderOf, type Manifest, manifestOf, manifests } from './format.ts'
import { sinceKey } from './keep-files.ts'
import { readManifest } from './restore-backup.ts'

/** Of how many hours, days, weeks (that begin on Monday) and months one backup is kept each: the last one of the time, of those times that have any. UTC. */
export interface KeepRules {
  readonly hourly?: number
  readonly daily?: number
  readonly weekly?: number
  readonly monthly?: number
}

const dayMs = 86_400_000
const periods: Readonly<Record<keyof KeepRules, (at: number) => number | string>> = {
  hourly: (at) => Math.floor(at / 3_600_000),
  daily: (at) => Math.floor(at / dayMs),
  // 1970 began on a Thursday.
  weekly: (at) => Math.floor((at / dayMs + 3) / 7),
  monthly: (at) => new Date(at).toISOString().slice(0, 7),
}

/** @returns ids of those that are kept; the newest is always among them */
export function keptOf(
  backups: readonly { readonly id: string; readonly at: number }[],
  rules: KeepRules,
): ReadonlySet<string> {
  const newestFirst = backups.toSorted((a, b) => b.at - a.at)
  const kept = new Set(newestFirst.slice(0, 1).map(({ id }) => id))
  for (const [rule, periodOf] of Object.entries(periods) as [
    keyof KeepRules,
    (at: number) => number | string,
  ][]) {
    const seen = new Set<number | string>()
    for (const { id, at } of newestFirst) {
      if (seen.size >= (rules[rule] ?? 0)) break
      const period = periodOf(at)
      if (!seen.has(period)) kept.add(id)
      seen.add(period)
    }
  }
  return kept
}

/** The backups that are there and whose manifests are this project's. */
export async function readManifests(world: BackupWorld): Promise<Manifest[]> {
  const found: Manifest[] = []
  for (const key of await world.files.list(manifests)) {
    const id = key.slice(manifests.length, -'.json'.length)
    try {
      found.push(await readManifest(world, id))
    } catch (error) {
      if (!(error instanceof BadManifest)) throw error
    }
  }
  return found
}

/** What a backup is as of, by the primary database's clock: milliseconds since 1970. */
const atOf = ({ databases }: Manifest) => databases[0]?.at ?? 0

/** Takes a backup away. Without a manifest there is none: what is left of it then is nobody's. */
export async function dropBackup({ files }: BackupWorld, id: string): Promise<void> {
  await files.remove([manifestOf(id)])
  const parts = await files.list(folderOf(id))
  if (parts.length > 0) await files.remove(parts)
}

/**
 * Takes backups away that no rule keeps. Those with others' signatures stay.
 *
 * @param isPlan only says what would go
 * @returns ids of those that have gone
 */
export async function prune(world: BackupWorld, rules: KeepRules, isPlan = false): Promise<string[]> {
  const backups = (await readManifests(world)).map((manifest) => ({ id: manifest.id, at: atOf(manifest) }))
  const kept = keptOf(backups, rules)
  const gone = backups.map(({ id }) => id).filter((id) => !kept.has(id))
  if (isPlan) return gone
  for (const id of gone) await dropBackup(world, id)
  await noteKept(world)
  await world.session.primary([dropOldRuns(world.now() - rememberedMs)])
  return gone
}

/** How long what was asked for is remembered, in milliseconds. */
const rememberedMs = 30 * dayMs

function dropOldRuns(before: number): BoundStatement {
  return {
    text: "DELETE FROM _atoll_backups WHERE state IN ('done', 'failed', 'cancelled') AND updated < CAST(?1 AS INTEGER)",
    parameters: [String(before)],
  }
}

/** Notes since when files are kept, by the backups that are there or being made. */
export async function noteKept(world: BackupWorld): Promise<void> {
  const times = (await readManifests(world)).map(atOf)
  await noteSince(world.session, times.length === 0 ? null : Math.min(...times))
}

async function noteSince(session: ClusterSession, at: number | null): Promise<void> {
  // One that is being made has said so itself.
  const isIdle = "NOT EXISTS (SELECT 1 FROM _atoll_backups WHERE kind = 'full' AND state = 'running')"
  await session.primary([
    at === null
      ? { text: `DELETE FROM _atoll_state WHERE key = '${sinceKey}' AND ${isIdle}`, parameters: [] }
      : {
          text: `INSERT INTO _atoll_state SELECT '${sinceKey}', ?1 WHERE true ON CONFLICT DO UPDATE SET value = iif(${isIdle}, excluded.value, min(CAST(value AS INTEGER), CAST(excluded.value AS INTEGER)))`,
          parameters: [String(at)],
        },
  ])
}
