/**
 * The areas, in their order: each knows those before it, and what they have in common is `core/`. What an app may set is put together here.
 * @module
 */
import { type AccessConfig, accessDefaults } from './access/config.ts'
import { type CacheConfig, cacheDefaults } from './cache/config.ts'
import { type CoreConfig, coreDefaults } from './core/config.ts'
import { type JobsConfig, jobsDefaults } from './jobs/config.ts'
import { type MonitorConfig, monitorDefaults } from './monitor/config.ts'
import { type RestConfig, restDefaults } from './rest/config.ts'
import { type StorageConfig, storageDefaults } from './storage/config.ts'

/** Everything that `functions/app/config.ts` may set. */
export interface AtollConfig
  extends CoreConfig,
    AccessConfig,
    CacheConfig,
    JobsConfig,
    RestConfig,
    StorageConfig,
    MonitorConfig {}

export const defaultConfig: AtollConfig = {
  ...coreDefaults,
  ...accessDefaults,
  ...cacheDefaults,
  ...jobsDefaults,
  ...restDefaults,
  ...storageDefaults,
  ...monitorDefaults,
}
