import type { CoreConfig } from '../core/config.ts'
import type { AtollEnv as AtollEnvOf } from '../core/context.ts'
import type { CoreEngine } from '../core/engine.ts'
import type { JobsServices } from '../jobs/area.ts'
import type { Services as RestServices } from '../rest/area.ts'
import type { StorageConfig } from './config.ts'
import type { AddressSigner } from './signed-address.ts'

/** What the area offers. */
export interface StorageServices {
  readonly addresses: AddressSigner
}

/** What its code uses. */
export interface Services extends RestServices, JobsServices, StorageServices {}

export type Engine = CoreEngine<CoreConfig & StorageConfig>

export type AtollEnv = AtollEnvOf<Services>
