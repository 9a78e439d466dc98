import type { CoreEnv } from '../core/context.ts'
import type { Meter } from './meter.ts'
import type { MetricsAccess } from './metrics-access.ts'
import type { MetricsStore } from './metrics-store.ts'
import type { SpanEnv, Spans } from './spans.ts'

export interface MeterEnv extends CoreEnv, SpanEnv {
  /** Keeps what isolates count. */
  readonly METRICS?: DurableObjectNamespace<MetricsStore>
  /** `off` switches measuring off. */
  readonly ATOLL_METRICS?: string
}

/** What the area offers. */
export interface MeterServices {
  readonly meter: Meter
  /** Null when no collector is named. */
  readonly spans: Spans | null
  /** What isolates have counted; null when nobody keeps it. */
  readonly metrics: (() => MetricsAccess) | null
  /** Hands over what was counted, some time after a request; null when nobody takes it. */
  readonly handOver: ((context: { waitUntil(work: Promise<unknown>): void }) => void) | null
}
