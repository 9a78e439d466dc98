/**
 * Sends requests to isolates over sockets, and says what became of each; writes with a key are sent again until that is known.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Isolates } from '../../support/isolates.ts'
import type { Tally } from './tally.ts'

export interface Sent {
  /** As the tally names it. */
  readonly kind: string
  readonly path: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** Hostile requests are not timed. */
  readonly isHostile?: boolean
  /** Gives up after so long, in milliseconds. */
  readonly cutAfterMs?: number
}

export interface Told {
  /** 0: no answer. */
  readonly status: number
  readonly code: string | null
  readonly text: string
  readonly headers: Headers
  readonly sentAt: number
}

/** Null: nobody knows. */
export type WriteOutcome = 'done' | 'refused' | 'unknown'

const timeoutMs = 40_000

/** Codes of answers that do not say whether the write was made. */
const unknownCodes = new Set(['SHARD025', 'SHARD010', 'CACHE002', 'IDEM002'])

export class Asker {
  readonly tally: Tally
  readonly #isolates: Isolates
  readonly #random: () => number
  readonly #addresses: URL[] = []

  constructor(isolates: Isolates, tally: Tally, random: () => number) {
    this.#isolates = isolates
    this.tally = tally
    this.#random = random
  }

  /** To be called at first, and when the process was started again. */
  async findAddresses(): Promise<void> {
    for (let i = 0; i < this.#isolates.count; i++) this.#addresses[i] = await this.#isolates.addressOf(i)
  }

  get isolates(): number {
    return this.#isolates.count
  }

  below(n: number): number {
    return Math.floor(this.#random() * n)
  }

  /** @param isolate any, when left out */
  async ask(sent: Sent, isolate = this.below(this.isolates)): Promise<Told> {
    const { kind, path, method = 'GET', headers = {}, body, isHostile = false } = sent
    const { phase } = this.tally
    const sentAt = performance.now()
    let told: Told
    try {
      const isText = typeof body === 'string'
      const response = await fetch(new URL(path, this.#addresses[isolate]), {
        method,
        headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
        signal: AbortSignal.timeout(sent.cutAfterMs ?? timeoutMs),
      })
      const text = await response.text()
      told = {
        status: response.status,
        code: codeOf(response.status, text),
        text,
        headers: response.headers,
        sentAt,
      }
    } catch {
      told = { status: 0, code: null, text: '', headers: new Headers(), sentAt }
    }
    const { status, code } = told
    this.tally.count(kind, status === 0 ? 'no answer' : code === null ? String(status) : `${status} ${code}`)
    if (!isHostile && status !== 0) {
      this.tally.time(phase, performance.now() - sentAt)
      const cacheStatus = told.headers.get('cache-status')
      if (cacheStatus !== null) this.tally.cached(phase, cacheStatus)
    }
    if (status === 500)
      this.tally.violate(`${kind}: 500 ${told.text.slice(0, 300)} for ${path.slice(0, 300)}`)
    return told
  }

  /** A write with a key, sent to any isolate again until it is known what became of it. */
  async write(sent: Sent, key: string): Promise<{ readonly outcome: WriteOutcome; readonly told: Told }> {
    const headers = { ...sent.headers, 'Idempotency-Key': key }
    for (let tries = 0; ; tries++) {
      const told = await this.ask({ ...sent, headers })
      const outcome = outcomeOf(told)
      // What was refused for a while is sent again as well: a client would.
      const isOver = outcome === 'done' || (outcome === 'refused' && told.status < 500)
      if (isOver || tries >= 60) return { outcome: isOver ? outcome : 'unknown', told }
      await sleep(50 + Math.min(1000, 50 * tries))
    }
  }
}

/** What an answer says of the write. */
export function outcomeOf({ status, code }: Told): WriteOutcome {
  if (status === 0 || status === 500 || (code !== null && unknownCodes.has(code))) return 'unknown'
  return status < 300 ? 'done' : 'refused'
}

function codeOf(status: number, text: string): string | null {
  if (status < 300 && status !== 207) return null
  try {
    return (JSON.parse(text) as { code?: string }).code ?? null
  } catch {
    return null
  }
}
