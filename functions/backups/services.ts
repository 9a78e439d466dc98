import type { BackupFiles } from '../../db/backups/backup-world.ts'
import type { Signer } from '../../db/backups/format.ts'
import type { CacheServices } from '../cache/area.ts'
import type { AtollEnv as AtollEnvOf, CoreEnv, CoreServices } from '../core/context.ts'
import type { CoreEngine } from '../core/engine.ts'
import type { DatabasesServices } from '../databases/area.ts'
import type { JobsServices } from '../jobs/area.ts'
import type { MeterServices } from '../meter/area.ts'
import type { BackupsConfig } from './config.ts'

export interface BackupsEnv extends CoreEnv {
  /** Where backups lie; without it, in a part of `BUCKET` that `/storage/v1` does not reach. */
  readonly BACKUPS?: R2Bucket
  /** Signs manifests; without it, what is derived of the project's keys does. */
  readonly ATOLL_BACKUP_SECRET?: string
}

/** What the area offers. */
export interface BackupsServices {
  /** Null when no bucket is bound. */
  readonly backups: BackupFiles | null
  readonly backupSigner: Signer
}

/** What its code uses. */
export interface Services
  extends CoreServices,
    MeterServices,
    CacheServices,
    DatabasesServices,
    JobsServices,
    BackupsServices {}

export type Engine = CoreEngine<BackupsConfig>

export type AtollEnv = AtollEnvOf<Services>
