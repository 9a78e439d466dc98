/**
 * What `/backups/v1` answers with: backups and what was asked for as JSON.
 * @module
 */
import type { Run } from '../../db/backups/backups.ts'
import type { Finding } from '../../db/backups/check-whole.ts'
import type { LeftOut, Manifest } from '../../db/backups/format.ts'
import type { RestorePlan } from '../../db/backups/plan-restore.ts'

/** A backup that is there. */
export interface ShownBackup {
  readonly id: string
  /** Why its manifest is not to be used; null when it is. */
  readonly refused: string | null
  /** Null when its manifest is not to be used. */
  readonly kind: 'full' | 'increment' | null
  /** The backup that an increment adds to. */
  readonly parent: string | null
  /** Why it is a full one, though an increment was asked for. */
  readonly instead: string | null
  readonly begun: string | null
  readonly finished: string | null
  /** Of an increment, those that have changed. */
  readonly rows: number
  /** In its bucket, compressed. */
  readonly bytes: number
  readonly files: number
  readonly databases: readonly { readonly name: string; readonly position: number; readonly at: string }[]
  readonly tables: Readonly<Record<string, number>>
  readonly migrations: readonly string[]
  readonly leftOut: readonly LeftOut[]
}

export function shownBackup(id: string, manifest: Manifest | null, refused: string | null): ShownBackup {
  const { databases = [], parts = [], migrations = [], leftOut = [] } = manifest ?? {}
  const tables: Record<string, number> = {}
  for (const { tables: own } of databases)
    for (const [name, { rows }] of Object.entries(own)) tables[name] = (tables[name] ?? 0) + rows
  return {
    id,
    refused,
    kind: manifest?.kind ?? null,
    parent: manifest?.parent?.id ?? null,
    instead: manifest?.instead ?? null,
    begun: manifest?.begun ?? null,
    finished: manifest?.finished ?? null,
    rows: Object.values(tables).reduce((sum, rows) => sum + rows, 0),
    bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
    files: parts.length,
    databases: databases.map(({ name, position, at }) => ({
      name,
      position,
      at: new Date(at).toISOString(),
    })),
    tables,
    migrations: migrations.map(({ name }) => name),
    leftOut,
  }
}

/** Something that was asked for: a backup, a restore or a verification. */
export interface ShownRun {
  readonly id: string
  readonly kind: Run['kind']
  /** The backup that it makes, restores or verifies. */
  readonly backup: string
  readonly state: Run['state']
  /** Rows that were read or laid. */
  readonly rows: number
  /** Steps or files that are done, and of how many; null while that is not known. */
  readonly done: number
  readonly of: number | null
  /** What was looked at in the end. */
  readonly findings: readonly Finding[]
  readonly error: string | null
  /** Why an increment that was asked for became a full backup. */
  readonly instead: string | null
  readonly created: string
  readonly updated: string
}

export function shownRun(run: Run): ShownRun {
  const progress = (run.progress ?? {}) as {
    readonly rows?: number
    readonly item?: number
    readonly items?: number
    readonly parts?: number
    readonly of?: number
    readonly findings?: readonly Finding[]
    readonly instead?: string
  }
  return {
    id: run.id,
    kind: run.kind,
    backup: (run.asked as { readonly backup?: string }).backup ?? run.id,
    state: run.state,
    rows: progress.rows ?? 0,
    done: progress.item ?? progress.parts ?? 0,
    of: progress.items ?? progress.of ?? null,
    findings: progress.findings ?? [],
    error: run.error,
    instead: progress.instead ?? null,
    created: new Date(run.created).toISOString(),
    updated: new Date(run.updated).toISOString(),
  }
}

/** What a restore would do. */
export interface ShownPlan {
  readonly tables: readonly { readonly name: string; readonly rows: number; readonly to: string }[]
  readonly problems: readonly string[]
  readonly notes: readonly string[]
}

export function shownPlan({ laid, rows, problems, notes }: RestorePlan): ShownPlan {
  return {
    tables: laid.map(({ table: { name }, isRouted }) => ({
      name,
      rows: rows.get(name) ?? 0,
      to: isRouted ? 'where their slots are' : 'DB',
    })),
    problems,
    notes,
  }
}
