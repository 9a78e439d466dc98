/**
 * Limits of Cloudflare's plans that an Atoll project meets.
 * Sources: https://developers.cloudflare.com/workers/platform/limits/, https://developers.cloudflare.com/d1/platform/limits/
 * @module
 */

export const limits = {
  free: { databases: 10, queriesPerRequest: 50, cpuMs: 10, databaseBytes: 500_000_000, crons: 5 },
  paid: {
    databases: 1_000_000,
    queriesPerRequest: 1000,
    cpuMs: 300_000,
    databaseBytes: 10_000_000_000,
    crons: 250,
  },
  /** Of a Worker's files together, before they are compressed. */
  bundleBytes: 64 * 1024 * 1024,
  /** Until a Worker can take its first request. */
  startupMs: 1000,
} as const

/** From which share of a limit on it is told. */
export const nearly = 0.8
