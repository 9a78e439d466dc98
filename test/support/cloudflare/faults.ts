/**
 * What a test has told the stand-in to do wrong.
 * @module
 */

export interface SeenRequest {
  readonly method: string
  /** Below `/client/v4`, with the query. */
  readonly path: string
  /** Size of the body. */
  readonly bytes: number
  readonly body: string
}

export interface Fault {
  /** Which requests; a pattern is held against `METHOD path` and, in a further line, the body. */
  readonly match: RegExp | ((request: SeenRequest) => boolean)
  /** How many requests of those that match; 1 when left out. */
  readonly times?: number
  /** How many requests that match are let pass first. */
  readonly after?: number
  /**
   * `drop-before` closes the socket before anything is done, `drop-after` when it is done; `status` and `html` answer so without doing
   * anything, `slow` does it and answers late.
   */
  readonly how: 'drop-before' | 'drop-after' | 'status' | 'slow' | 'html'
  /** 500 for `status`, 502 for `html` when left out. */
  readonly status?: number
  readonly delayMs?: number
  /** `Retry-After` of the answer. */
  readonly retryAfterSeconds?: number
}

export interface Faults {
  fail(fault: Fault): void
  /** Forgets the faults that nobody has met yet. */
  mend(): void
  /** The fault that this request is to meet. */
  next(request: SeenRequest): Fault | null
}

export function createFaults(): Faults {
  const pending: { readonly fault: Fault; after: number; left: number }[] = []
  return {
    fail: (fault) => void pending.push({ fault, after: fault.after ?? 0, left: fault.times ?? 1 }),
    mend: () => {
      pending.length = 0
    },
    next(request) {
      for (const entry of pending) {
        if (entry.left === 0 || !matches(entry.fault.match, request)) continue
        if (entry.after > 0) {
          entry.after--
          continue
        }
        entry.left--
        return entry.fault
      }
      return null
    },
  }
}

function matches(match: Fault['match'], request: SeenRequest): boolean {
  if (typeof match === 'function') return match(request)
  return match.test(`${request.method} ${request.path}\n${request.body}`)
}
