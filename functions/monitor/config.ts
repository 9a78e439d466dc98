/**
 * The area's part of `functions/app/config.ts`.
 * @module
 */
import type { Setting } from '../core/setting.ts'
import type { Objective } from './service-levels.ts'

/** What is measured, promised and told. */
export interface MonitorConfig {
  /** How many Durable Objects keep what is measured; more when a thousand isolates are too many for one. Default 1. */
  readonly metricsStores: number
  /** Whether each request is told to the log, as a line of JSON. Default false. */
  readonly logRequests: boolean
  /** Service levels that are promised, and watched. Default none. */
  readonly objectives: readonly Objective[]
  /** Where to tell of a service level that burns its budget too fast, as a webhook; null: nowhere. Default null. */
  readonly alertWebhook: { readonly url: Setting; readonly secret: string } | null
  /** What a million rows that D1 reads cost. Default 0.001. */
  readonly d1DollarsPerMillionRead: number
  /** What a million rows that D1 writes cost. Default 1. */
  readonly d1DollarsPerMillionWritten: number
}

export const monitorDefaults: MonitorConfig = {
  metricsStores: 1,
  logRequests: false,
  objectives: [],
  alertWebhook: null,
  d1DollarsPerMillionRead: 0.001,
  d1DollarsPerMillionWritten: 1,
}
