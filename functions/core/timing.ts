/** Header by which who has the secret key asks for `Server-Timing`. */
const askingHeader = 'Atoll-Server-Timing'

/** Whether an answer says what took its time: where the configuration says so, or to operators who ask. */
export function isTimed(
  config: { readonly serverTiming: boolean },
  headers: Headers,
  isOperator: boolean,
): boolean {
  return config.serverTiming || (isOperator && headers.has(askingHeader))
}

/** @param ms milliseconds that the stage took, until now */
export type OnStage = (stage: string, ms: number) => void

/**
 * Times of a request's stages, for `Server-Timing` (https://www.w3.org/TR/server-timing/), in milliseconds. In
 * production timers stand still between I/O, so stages that only compute read as 0.
 */
export class Timing {
  readonly #enabled: boolean
  readonly #isWritten: boolean
  readonly #stages = new Map<string, number>([['jwt', 0]])
  readonly #onStage: OnStage | null
  #last: number

  /** @param onStage is told of each stage */
  constructor(enabled: boolean, onStage: OnStage | null = null) {
    this.#enabled = enabled || onStage !== null
    this.#isWritten = enabled
    this.#onStage = onStage
    this.#last = this.#enabled ? performance.now() : 0
  }

  /** Says that a stage ends now. */
  mark(stage: string): void {
    if (!this.#enabled) return
    const now = performance.now()
    if (stage === 'plan' && !this.#stages.has('parse')) this.#stages.set('parse', 0)
    this.#stages.set(stage, now - this.#last)
    this.#onStage?.(stage, now - this.#last)
    this.#last = now
  }

  /** Marks what a response that needs no database went through. */
  static of(response: Response, enabled: boolean): Response {
    const timing = new Timing(enabled)
    for (const stage of ['parse', 'plan', 'transaction', 'response']) timing.mark(stage)
    timing.write(response.headers)
    return response
  }

  write(headers: Headers): void {
    if (!this.#isWritten) return
    const stages = [...this.#stages].map(([stage, ms]) => `${stage};dur=${ms.toFixed(1)}`)
    headers.set('Server-Timing', stages.join(', '))
  }
}
