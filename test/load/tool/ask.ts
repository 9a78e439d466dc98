/**
 * Sends requests, as fast as one thread can, and says what became of each.
 * @module
 */
import { Pool } from 'undici'
import type { Answer, KeyKind, Question } from './scenario.ts'

export interface Target {
  readonly url: URL
  /** What is sent as `apikey`. */
  readonly keys: Readonly<Partial<Record<Exclude<KeyKind, 'none'>, string>>>
}

export interface AskOptions {
  readonly connections: number
  /** Milliseconds without a header, or without a byte of a body, after which a request has failed. */
  readonly timeoutMs: number
}

/** What became of a request. */
export interface Outcome {
  /** Null: no answer. */
  readonly answer: Answer | null
  /** Of the answer's body. */
  readonly bytes: number
  /** Why there is none, in a word or two. */
  readonly error: string | null
}

export class Asker {
  readonly #pool: Pool
  readonly #keys: Target['keys']

  constructor({ url, keys }: Target, { connections, timeoutMs }: AskOptions) {
    this.#keys = keys
    this.#pool = new Pool(url.origin, {
      connections,
      pipelining: 1,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      connectTimeout: timeoutMs,
      keepAliveTimeout: 60_000,
      keepAliveMaxTimeout: 60_000,
    })
  }

  /** @param keeps whether the body is wanted, and not only its length */
  ask(question: Question, key: KeyKind, keeps: boolean): Promise<Outcome> {
    const { path, body, headers: own } = question
    const headers: Record<string, string> = {}
    const kind = question.key ?? key
    if (kind !== 'none') {
      const apikey = this.#keys[kind]
      if (apikey === undefined) return Promise.resolve(failed(`no ${kind} key`))
      headers.apikey = apikey
    }
    const isText = typeof body === 'string' || body instanceof Uint8Array || body === undefined
    if (!isText) headers['content-type'] = 'application/json'
    Object.assign(headers, own)
    return new Promise((done) => {
      const chunks: Buffer[] = []
      let bytes = 0
      let status = 0
      let answered: Answer['headers'] = {}
      this.#pool.dispatch(
        {
          path,
          method: (question.method ?? (body === undefined ? 'GET' : 'POST')) as 'GET',
          headers,
          body: isText ? (body ?? null) : JSON.stringify(body),
        },
        {
          onRequestStart() {},
          onResponseStart(_controller, statusCode, responseHeaders) {
            status = statusCode
            answered = responseHeaders
          },
          onResponseData(_controller, chunk) {
            bytes += chunk.length
            if (keeps) chunks.push(chunk)
          },
          onResponseEnd() {
            const text = () => Buffer.concat(chunks).toString('utf8')
            const answer = { status, headers: answered, text, json: <V>() => JSON.parse(text()) as V }
            done({ answer, bytes, error: null })
          },
          onResponseError(_controller, error) {
            done(failed(kindOf(error)))
          },
        },
      )
    })
  }

  async close(): Promise<void> {
    await this.#pool.destroy()
  }
}

function failed(error: string): Outcome {
  return { answer: null, bytes: 0, error }
}

/** The system's and the client's codes, in words. */
const kinds: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection reset',
  UND_ERR_SOCKET: 'connection reset',
  UND_ERR_HEADERS_TIMEOUT: 'timeout',
  UND_ERR_BODY_TIMEOUT: 'timeout',
  UND_ERR_CONNECT_TIMEOUT: 'timeout',
  UND_ERR_DESTROYED: 'given up at the end',
}

function kindOf(error: Error & { code?: string }): string {
  return kinds[error.code ?? ''] ?? error.code ?? error.message
}

/** Asks one after another and throws when an answer is not right: for what comes before and after a run. */
export async function askOnce(target: Target, question: Question, key: KeyKind): Promise<Answer> {
  const asker = new Asker(target, { connections: 1, timeoutMs: 30_000 })
  try {
    const { answer, error } = await asker.ask(question, key, true)
    if (answer === null) throw new Error(`${question.path}: ${error}`)
    if (answer.status >= 400)
      throw new Error(`${question.path}: ${answer.status} ${answer.text().slice(0, 200)}`)
    return answer
  } finally {
    await asker.close()
  }
}
