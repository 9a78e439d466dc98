/**
 * Spans of sampled requests, sent to an OpenTelemetry collector as OTLP over HTTP, where one is named by `OTEL_EXPORTER_OTLP_ENDPOINT`.
 * Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp, JSON encoding.
 * @module
 */

import { textBytes } from '../../db/memory/size-of.ts'
import { currentTrace, newSpanId, type RequestTrace } from '../core/request-trace.ts'
import { emit } from './events.ts'

export interface SpanExport {
  readonly endpoint: string
  /** As `OTEL_EXPORTER_OTLP_HEADERS` has them: `name=value,…`. */
  readonly headers: Readonly<Record<string, string>>
}

export type SpanAttributes = Readonly<Record<string, string | number>>

interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly name: string
  /** 2: a server's, 3: a client's, 1: internal. */
  readonly kind: 1 | 2 | 3
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly { key: string; value: { stringValue: string } | { doubleValue: number } }[]
  readonly status: { readonly code: 0 | 2 }
}

/** Spans that wait to be sent, and their bytes; more are dropped. */
const maxSpans = 2000
const maxBytes = 1_000_000
/** Longer texts, as callers send them, are cut off. In characters. */
const maxTextLength = 300
/** What a span takes beside its texts, as an object and as JSON. */
const spanBytes = 600
/** How long they are gathered, in milliseconds. */
const gatherMs = 1000
const timeoutMs = 5000

export class Spans {
  readonly #to: SpanExport
  #spans: Span[] = []
  #bytes = 0
  #isWaiting = false

  constructor(to: SpanExport) {
    this.#to = to
  }

  /** The request itself. */
  request(
    trace: RequestTrace,
    name: string,
    startMs: number,
    endMs: number,
    attributes: SpanAttributes,
    failed: boolean,
  ): void {
    if (!trace.isSampled) return
    this.#add(trace, trace.spanId, trace.parentId ?? '', name, 2, startMs, endMs, attributes, failed)
  }

  /** Something that the running request has others do, or does itself. */
  part(
    name: string,
    kind: 'client' | 'internal',
    startMs: number,
    endMs: number,
    attributes: SpanAttributes,
    failed = false,
  ): void {
    const trace = currentTrace()
    if (!trace?.isSampled) return
    this.#add(
      trace,
      newSpanId(),
      trace.spanId,
      name,
      kind === 'client' ? 3 : 1,
      startMs,
      endMs,
      attributes,
      failed,
    )
  }

  /** Sends what there is, a moment later. */
  send(context: { waitUntil(work: Promise<unknown>): void }): void {
    if (this.#isWaiting || this.#spans.length === 0) return
    this.#isWaiting = true
    context.waitUntil(
      (async () => {
        await new Promise((done) => setTimeout(done, gatherMs))
        this.#isWaiting = false
        await this.#post()
      })(),
    )
  }

  async #post(): Promise<void> {
    const spans = this.#spans
    this.#spans = []
    this.#bytes = 0
    const body = {
      resourceSpans: [
        {
          resource: { attributes: [{ key: 'service.name', value: { stringValue: 'atoll' } }] },
          scopeSpans: [{ scope: { name: 'atoll' }, spans }],
        },
      ],
    }
    try {
      const answer = await fetch(`${this.#to.endpoint.replace(/\/$/, '')}/v1/traces`, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'Content-Type': 'application/json', ...this.#to.headers },
        signal: AbortSignal.timeout(timeoutMs),
      })
      await answer.body?.cancel()
      if (!answer.ok) throw new Error(`it answered ${answer.status}`)
    } catch (error) {
      emit({ kind: 'spans-not-taken', spans: spans.length, error })
    }
  }

  #add(
    { traceId }: RequestTrace,
    spanId: string,
    parentSpanId: string,
    name: string,
    kind: Span['kind'],
    startMs: number,
    endMs: number,
    attributes: SpanAttributes,
    failed: boolean,
  ): void {
    const shown = Object.entries(attributes).map(([key, value]) => shownAttribute(key, value))
    const bytes = shown.reduce(
      (sum, { key, value }) =>
        sum + textBytes(key) + textBytes('stringValue' in value ? value.stringValue : ''),
      spanBytes + textBytes(name),
    )
    if (this.#spans.length >= maxSpans || this.#bytes + bytes > maxBytes) return
    this.#bytes += bytes
    this.#spans.push({
      traceId,
      spanId,
      parentSpanId,
      name,
      kind,
      startTimeUnixNano: nanoseconds(startMs),
      endTimeUnixNano: nanoseconds(endMs),
      attributes: shown,
      status: { code: failed ? 2 : 0 },
    })
  }
}

function shownAttribute(key: string, value: string | number): Span['attributes'][number] {
  return {
    key,
    value:
      typeof value === 'number' ? { doubleValue: value } : { stringValue: value.slice(0, maxTextLength) },
  }
}

/** Milliseconds since 1970 as text of nanoseconds, which numbers cannot hold. */
function nanoseconds(ms: number): string {
  return `${Math.round(ms * 1000)}000`
}

/** OpenTelemetry's own variables. */
export interface SpanEnv {
  /** Address of a collector, and what it wants to be told: `name=value,…`. */
  readonly OTEL_EXPORTER_OTLP_ENDPOINT?: string
  readonly OTEL_EXPORTER_OTLP_HEADERS?: string
}

/** Where spans go; null: nowhere. */
export function readSpanExport(env: SpanEnv): SpanExport | null {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_HEADERS: text = '' } = env
  if (!endpoint) return null
  const pairs = text.split(',').map((pair): [string, string] => {
    const at = pair.indexOf('=')
    return [pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())]
  })
  return { endpoint, headers: Object.fromEntries(pairs.filter(([name]) => name !== '')) }
}
