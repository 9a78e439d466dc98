/**
 * What tells one request from all others, in logs, answers and at origins: an id, and W3C Trace Context
 * (https://www.w3.org/TR/trace-context/).
 * @module
 */
import { AsyncLocalStorage } from 'node:async_hooks'

export interface RequestTrace {
  /** Of `X-Request-Id`: the caller's own, where it is one. */
  readonly requestId: string
  /** 32 hexadecimal digits: the caller's, or new. */
  readonly traceId: string
  /** 16 hexadecimal digits: this request's part of the trace. */
  readonly spanId: string
  /** Whose part it is a part of; null: it is the first. */
  readonly parentId: string | null
  readonly isSampled: boolean
  /** Vendors' own words, passed on as they are. */
  readonly state: string | null
}

const requestIdForm = /^[\w.:-]{8,128}$/
const traceparentForm =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/

const current = new AsyncLocalStorage<RequestTrace>()

export function openTrace(headers: Headers): RequestTrace {
  const sent = headers.get('x-request-id')
  const [, traceId, parentId, flags] = traceparentForm.exec(headers.get('traceparent')?.trim() ?? '') ?? []
  const [spanId, own] = [randomHex(8), traceId ?? randomHex(16)]
  return {
    requestId: sent !== null && requestIdForm.test(sent) ? sent : own,
    traceId: own,
    spanId,
    parentId: parentId ?? null,
    isSampled: flags === undefined || (Number.parseInt(flags, 16) & 1) === 1,
    state: traceId === undefined ? null : headers.get('tracestate'),
  }
}

/** What those are sent that work on the request for us. */
export function writeTrace(
  headers: Headers,
  { requestId, traceId, spanId, isSampled, state }: RequestTrace,
): void {
  headers.set('X-Request-Id', requestId)
  headers.set('traceparent', `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`)
  if (state === null) headers.delete('tracestate')
  else headers.set('tracestate', state)
}

export function runTraced<T>(trace: RequestTrace, work: () => T): T {
  return current.run(trace, work)
}

/** The request that the running code works for. */
export function currentTrace(): RequestTrace | undefined {
  return current.getStore()
}

export function newSpanId(): string {
  return randomHex(8)
}

const hexOf = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Random bytes are asked for in one go for many requests; they are ids, and no secrets. */
const pool = new Uint8Array(4096)
let used = pool.length

function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    crypto.getRandomValues(pool)
    used = 0
  }
  let text = ''
  for (const end = used + bytes; used < end; used++) text += hexOf[pool[used] as number]
  return text
}
