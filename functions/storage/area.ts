/**
 * Files, as Supabase Storage's clients ask for them, and tus. `/storage/v1`.
 * @module
 */
import type { StorageDeclarations } from '../../db/catalog/storage-policy.ts'
import type { Area } from '../core/area.ts'
import { sealingSecretOf } from '../core/config.ts'
import type { CoreServices } from '../core/context.ts'
import { storageDefaults } from './config.ts'
import { duties } from './duties.ts'
import { errors } from './errors.ts'
import type { Engine, StorageEnv, StorageServices } from './services.ts'
import { AddressSigner } from './signed-address.ts'
import { createStorage } from './storage.ts'
import { storageJobs } from './storage-jobs.ts'

// What areas above it use.
export type { StorageEvent } from './events.ts'
export type { StorageServices } from './services.ts'

/** What an app brings for it. */
export interface StorageApp {
  readonly storage?: StorageDeclarations
}

export const storage = {
  name: 'storage',
  defaults: storageDefaults,
  roles: ({ storage: declared = {} }: StorageApp) =>
    Object.values(declared).flatMap(({ access = {} }) => Object.keys(access)),
  errors,
  duties,
  jobs: () => storageJobs,
  // Of files, and of uploads in parts.
  exposes: [
    'Accept-Ranges',
    'ETag',
    'Last-Modified',
    'Upload-Offset',
    'Upload-Length',
    'Upload-Expires',
    'Upload-Defer-Length',
    'Upload-Metadata',
    'Tus-Resumable',
    'Tus-Version',
    'Tus-Extension',
    'Tus-Max-Size',
    'Tus-Checksum-Algorithm',
  ],
  routes: ({ catalog, config }: Engine, { storage: declared = {} }: StorageApp) => [
    ['/storage/v1', createStorage(declared, catalog, config)],
  ],

  open({ IMAGES = undefined }: StorageEnv, _engine: unknown, { keys }: CoreServices): StorageServices {
    return { addresses: new AddressSigner(sealingSecretOf(keys)), images: IMAGES ?? null }
  },
} satisfies Area
