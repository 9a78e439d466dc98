import type { CoreConfig } from '../core/config.ts'
import type { AtollEnv as AtollEnvOf, CoreEnv } from '../core/context.ts'
import type { CoreEngine } from '../core/engine.ts'
import type { JobsServices } from '../jobs/area.ts'
import type { Services as RestServices } from '../rest/area.ts'
import type { StorageConfig } from './config.ts'
import type { AddressSigner } from './signed-address.ts'

export interface StorageEnv extends CoreEnv {
  /** Cloudflare's Images: makes other sizes of images. */
  readonly IMAGES?: ImagesBinding
}

/** What the area offers. */
export interface StorageServices {
  readonly addresses: AddressSigner
  /** What makes other sizes of images; null where there is none. */
  readonly images: ImagesBinding | null
}

/** What its code uses. */
export interface Services extends RestServices, JobsServices, StorageServices {}

export type Engine = CoreEngine<CoreConfig & StorageConfig>

export type AtollEnv = AtollEnvOf<Services>
