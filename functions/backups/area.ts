/**
 * Backups of all databases as one, and their restores. `/backups/v1`.
 * @module
 */
import type { Area } from '../core/area.ts'
import { type CoreConfig, sealingSecretOf } from '../core/config.ts'
import type { CoreServices } from '../core/context.ts'
import type { CoreEngine } from '../core/engine.ts'
import { backupFiles } from './backup-files.ts'
import { backupJobs } from './backup-job.ts'
import { createBackupsApi } from './backups-api.ts'
import { type BackupsConfig, backupsDefaults } from './config.ts'
import { errors } from './errors.ts'
import { gauges } from './gauges.ts'
import type { BackupsEnv, BackupsServices } from './services.ts'
import { createSigner } from './sign.ts'

// What areas above it use.
export type { BackupsConfig } from './config.ts'
export type { ShownErasure } from './erase.ts'
export type { BackupsEvent } from './events.ts'
export { BackupRounds } from './run-backups.ts'
export type { BackupsServices } from './services.ts'
export type { ShownBackup, ShownPlan, ShownRun } from './shown.ts'

/** Where backups lie in the bucket of files: names of files begin otherwise there. */
const prefix = '_atoll/backups/'

export const backups = {
  name: 'backups',
  defaults: backupsDefaults,
  errors,
  gauges,
  jobs: (config: BackupsConfig) => backupJobs(config),
  routes: (engine: CoreEngine<CoreConfig & BackupsConfig>) => [['/backups/v1', createBackupsApi(engine)]],

  open(
    { BACKUPS, ATOLL_BACKUP_SECRET }: BackupsEnv,
    _engine: object,
    { files, keys }: CoreServices,
  ): BackupsServices {
    const bucket = BACKUPS ?? files
    return {
      backups: bucket && backupFiles(bucket, BACKUPS ? '' : prefix),
      backupSigner: createSigner(ATOLL_BACKUP_SECRET || sealingSecretOf(keys)),
    }
  },
} satisfies Area
