/**
 * The code that makes backups and restores them, as it is, or with one rule broken on purpose.
 * @module
 */

import type { insertRun, nextRun, noteFailure, Overtaken, readRun } from '../../db/backups/backups.ts'
import type { prune } from '../../db/backups/keep.ts'
import type { BackupMaker } from '../../db/backups/make-backup.ts'
import type { readManifest } from '../../db/backups/read-chain.ts'
import type { BackupRestorer } from '../../db/backups/restore-backup.ts'
import type { BackupVerifier } from '../../db/backups/verify-backup.ts'
import type { Cluster } from '../../db/cluster/cluster.ts'
import type { pruneChanges } from '../../db/cluster/consumers.ts'
import { type CodeMutant, loadMutant } from './load-mutant.ts'

export interface BackupsCode {
  readonly Cluster: typeof Cluster
  readonly BackupMaker: typeof BackupMaker
  readonly BackupRestorer: typeof BackupRestorer
  readonly BackupVerifier: typeof BackupVerifier
  readonly prune: typeof prune
  readonly pruneChanges: typeof pruneChanges
  readonly Overtaken: typeof Overtaken
  readonly insertRun: typeof insertRun
  readonly nextRun: typeof nextRun
  readonly readRun: typeof readRun
  readonly noteFailure: typeof noteFailure
  readonly readManifest: typeof readManifest
}

/** Loads the code with a rule broken; as it is for null. */
export function loadBackups(mutant: CodeMutant | null): Promise<BackupsCode> {
  return loadMutant(
    `export { Cluster } from './db/cluster/cluster.ts'
export { BackupMaker } from './db/backups/make-backup.ts'
export { BackupRestorer } from './db/backups/restore-backup.ts'
export { BackupVerifier } from './db/backups/verify-backup.ts'
export { readManifest } from './db/backups/read-chain.ts'
export { prune } from './db/backups/keep.ts'
export { pruneChanges } from './db/cluster/consumers.ts'
export { insertRun, nextRun, noteFailure, Overtaken, readRun } from './db/backups/backups.ts'`,
    /db\/(?:backups|moves|slots)\/.*\.ts$/,
    mutant,
  )
}
