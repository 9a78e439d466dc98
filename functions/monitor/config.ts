/**
 * The area's part of `functions/app/config.ts`.
 * @module
 */
import type { Setting } from '../core/setting.ts'

/** What is promised of an area or a route. */
export interface Objective {
  readonly name: string
  /** `rest`, `storage`, `proxy`, …; left out: all of them. */
  readonly area?: string
  /** A table, a function, a route to origins. */
  readonly route?: string
  /** Share of requests that are to be good: 0.999. */
  readonly target: number
  /** Good is an answer within so many milliseconds; left out: one that is no 5xx. */
  readonly withinMs?: number
}

/** What is promised, and told. */
export interface MonitorConfig {
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
  objectives: [],
  alertWebhook: null,
  d1DollarsPerMillionRead: 0.001,
  d1DollarsPerMillionWritten: 1,
}
