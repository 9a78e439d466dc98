/**
 * The area's part of `functions/app/config.ts`.
 * @module
 */

/** What is counted, and told to the log. */
export interface MeterConfig {
  /** How many Durable Objects keep what is measured; more when a thousand isolates are too many for one. Default 1. */
  readonly metricsStores: number
  /** Whether each request is told to the log, as a line of JSON. Default false. */
  readonly logRequests: boolean
}

export const meterDefaults: MeterConfig = {
  metricsStores: 1,
  logRequests: false,
}
