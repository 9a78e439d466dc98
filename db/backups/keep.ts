/**
 * Which backups are kept, by rules; the others go. And since when bytes of files are kept for the sake of backups.
 * @module
 */
import type { ClusterSession } from '../cluster/session.ts'
import type { BoundStatement } from '../sql/statement.ts'
import type { BackupWorld } from './backup-world.ts'
import { BadManifest, folderOf, type Manifest, manifestOf, manifests } from './format.ts'
import { sinceKey } from './keep-files.ts'
import { readManifest } from './read-chain.ts'

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

/** A backup as rules see it. */
export interface Keepable {
  readonly id: string
  /** What it is as of: milliseconds since 1970. */
  readonly at: number
  /** What it adds to, when it is an increment. */
  readonly parent?: string | undefined
}

/**
 * Of an hour the last backup is kept; of a day, a week and a month the last full one, or the last when there is no full one: of an increment, all that
 * it adds to stays with it.
 *
 * @returns ids of those that are kept; the newest is always among them, and so is what they add to
 */
export function keptOf(backups: readonly Keepable[], rules: KeepRules): ReadonlySet<string> {
  return withLinks(backups, chosenOf(backups, rules))
}

/** Those that a rule says, and the newest. */
function chosenOf(backups: readonly Keepable[], rules: KeepRules): ReadonlySet<string> {
  const newestFirst = backups.toSorted((a, b) => b.at - a.at)
  const kept = new Set(newestFirst.slice(0, 1).map(({ id }) => id))
  for (const [rule, periodOf] of Object.entries(periods) as [
    keyof KeepRules,
    (at: number) => number | string,
  ][]) {
    const ofPeriods = [...Map.groupBy(newestFirst, ({ at }) => periodOf(at)).values()]
    for (const own of ofPeriods.slice(0, rules[rule] ?? 0)) {
      const full = rule === 'hourly' ? undefined : own.find(({ parent }) => parent === undefined)
      kept.add((full ?? (own[0] as Keepable)).id)
    }
  }
  return kept
}

function withLinks(backups: readonly Keepable[], chosen: ReadonlySet<string>): ReadonlySet<string> {
  const parents = new Map(backups.map(({ id, parent }) => [id, parent]))
  const kept = new Set<string>()
  for (const id of chosen)
    for (let link: string | undefined = id; link !== undefined && !kept.has(link); link = parents.get(link))
      kept.add(link)
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

/** Ids of the increments that add to a backup, and of those that add to them; the last links first. */
export async function incrementsOf(world: BackupWorld, id: string): Promise<string[]> {
  const found = new Set([id])
  for (const { id: own, parent } of (await readManifests(world)).sort(lastLinksFirst).reverse())
    if (parent && found.has(parent.id)) found.add(own)
  return [...found].slice(1).reverse()
}

/** An increment has a greater number than what it adds to. */
const lastLinksFirst = (a: Manifest, b: Manifest) => (b.parent?.number ?? 0) - (a.parent?.number ?? 0)

/** Takes a backup away. Without a manifest there is none: what is left of it then is nobody's. */
export async function dropBackup({ files }: BackupWorld, id: string): Promise<void> {
  await files.remove([manifestOf(id)])
  const parts = await files.list(folderOf(id))
  if (parts.length > 0) await files.remove(parts)
}

/** What rules say of all backups. */
export interface Pruned {
  /** Those that have gone or would go. */
  readonly gone: readonly string[]
  /** Those that no rule keeps, but increments that are kept add to them. */
  readonly links: readonly string[]
}

/**
 * Takes backups away that no rule keeps, and nothing that is kept adds to. Those with others' signatures stay.
 *
 * @param isPlan only says what would go
 */
export async function prune(world: BackupWorld, rules: KeepRules, isPlan = false): Promise<Pruned> {
  const backups = (await readManifests(world))
    .sort(lastLinksFirst)
    .map((manifest): Keepable => ({ id: manifest.id, at: atOf(manifest), parent: manifest.parent?.id }))
  const chosen = chosenOf(backups, rules)
  const kept = withLinks(backups, chosen)
  const gone = backups.map(({ id }) => id).filter((id) => !kept.has(id))
  const pruned: Pruned = { gone, links: [...kept].filter((id) => !chosen.has(id)) }
  if (isPlan) return pruned
  // The last links first, so that a death in between leaves no increment without what it adds to.
  for (const id of gone) await dropBackup(world, id)
  await noteKept(world)
  await world.session.primary([dropOldRuns(world.now() - rememberedMs)])
  return pruned
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
  const isIdle =
    "NOT EXISTS (SELECT 1 FROM _atoll_backups WHERE kind IN ('full', 'increment') AND state = 'running')"
  await session.primary([
    at === null
      ? { text: `DELETE FROM _atoll_state WHERE key = '${sinceKey}' AND ${isIdle}`, parameters: [] }
      : {
          text: `INSERT INTO _atoll_state SELECT '${sinceKey}', ?1 WHERE true ON CONFLICT DO UPDATE SET value = iif(${isIdle}, excluded.value, min(CAST(value AS INTEGER), CAST(excluded.value AS INTEGER)))`,
          parameters: [String(at)],
        },
  ])
}
