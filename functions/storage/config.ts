/**
 * The area's part of `functions/app/config.ts`.
 * @module
 */

/** Files. */
export interface StorageConfig {
  /** Largest file, in bytes. Default 5,000,000,000. */
  readonly storageMaxObjectBytes: number
  /** How long an upload in parts may rest before it is cleared away, in seconds. Default 86,400: a day. */
  readonly uploadExpirySeconds: number
  /** How many uploads by tus a caller may have unfinished; those without a name are told apart by address. Default 200. */
  readonly unfinishedUploads: number
}

export const storageDefaults: StorageConfig = {
  storageMaxObjectBytes: 5_000_000_000,
  uploadExpirySeconds: 86_400,
  unfinishedUploads: 200,
}
