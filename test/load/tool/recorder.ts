/**
 * What a run counts: by step, and by second for the charts.
 * @module
 */
import { Histogram } from '../../../functions/meter/histogram.ts'

/** Of a step, or of all. Milliseconds and bytes. */
export interface Measured {
  readonly requests: number
  readonly failed: number
  readonly bytes: number
  /** Answers whose `Cache-Status` says that they are hits. */
  readonly cacheHits: number
  /** Failures by kind. */
  readonly errors: Readonly<Record<string, number>>
  /** Corrected for coordinated omission. */
  readonly latency: Latencies
  /** From when requests were sent, as the server's own clock would say. */
  readonly service: Latencies
  /** Corrected latencies by the share of requests that took no longer, for charts. */
  readonly distribution: readonly (readonly [share: number, ms: number])[]
}

const shares = [0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 1]

export interface Latencies {
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly p999: number
  readonly max: number
  readonly mean: number
}

/** One second of a run. */
export interface Second {
  readonly second: number
  readonly requests: number
  readonly failed: number
  readonly p50: number
  readonly p99: number
}

export class Recorder {
  readonly latency = new Histogram()
  readonly service = new Histogram()
  requests = 0
  failed = 0
  bytes = 0
  cacheHits = 0
  maxMs = 0
  maxServiceMs = 0
  readonly errors = new Map<string, number>()

  /** @param error null: rightly answered. Failures count with their time too, else a server that fails fast looks fast */
  add(latencyMs: number, serviceMs: number, bytes: number, isHit: boolean, error: string | null): void {
    this.requests++
    this.bytes += bytes
    this.latency.add(latencyMs)
    this.service.add(serviceMs)
    this.maxMs = Math.max(this.maxMs, latencyMs)
    this.maxServiceMs = Math.max(this.maxServiceMs, serviceMs)
    if (isHit) this.cacheHits++
    if (error !== null) this.fail(error)
  }

  /** A request that was due and could not even be sent. */
  addUnsent(error: string): void {
    this.requests++
    this.fail(error)
  }

  private fail(error: string): void {
    this.failed++
    this.errors.set(error, (this.errors.get(error) ?? 0) + 1)
  }

  private distribution(): (readonly [number, number])[] {
    const { latency, maxMs } = this
    // A share that fewer than one request stand for says nothing of its own.
    const told = shares.filter((share) => share === 1 || latency.count * (1 - share) >= 1)
    return told.map((share) => [share, Math.min(maxMs, latency.quantile(share))] as const)
  }

  measured(): Measured {
    const { requests, failed, bytes, cacheHits, errors, latency, service } = this
    return {
      requests,
      failed,
      bytes,
      cacheHits,
      errors: Object.fromEntries([...errors].sort(([, a], [, b]) => b - a)),
      latency: latenciesOf(latency, this.maxMs),
      service: latenciesOf(service, this.maxServiceMs),
      distribution: latency.count === 0 ? [] : this.distribution(),
    }
  }
}

export function latenciesOf(histogram: Histogram, max: number): Latencies {
  const at = (share: number) => Math.min(max, histogram.quantile(share))
  return {
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    p999: at(0.999),
    max,
    mean: histogram.sum / histogram.count,
  }
}

/**
 * Adds to latencies what a closed run did not ask because it waited: had a user asked every `intervalMs`, a request that took longer
 * would have delayed those that were due meanwhile, each a bit less than the one before.
 *
 * Source: HdrHistogram's `copyCorrectedForCoordinatedOmission`.
 *
 * @param intervalMs between two requests of one user, when nothing stalls
 * @returns what is to be added, for all steps together
 */
export function omitted(latency: Histogram, intervalMs: number): Histogram {
  const added = new Histogram()
  if (!(intervalMs > 0)) return added
  for (const [value, count] of latency.values()) {
    for (let missing = value - intervalMs; missing >= intervalMs; missing -= intervalMs)
      added.add(missing, count)
  }
  return added
}

/** Adds a share of one histogram to another; parts of a count are carried on to the next value. */
export function addShare(to: Histogram, from: Histogram, share: number): void {
  let carried = 0
  for (const [value, count] of from.values()) {
    carried += count * share
    const whole = Math.floor(carried)
    if (whole > 0) to.add(value, whole)
    carried -= whole
  }
}
