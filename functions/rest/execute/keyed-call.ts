/**
 * Calls of functions that carry an `Idempotency-Key`. The function runs as a transaction (`functions/transaction`), so that its answer is there
 * before anything is committed, and is kept by the commit itself.
 * @module
 */
import type { ClusterSession } from '../../../db/cluster/session.ts'
import { isUnknown } from '../../../db/cluster/unknown-outcome.ts'
import type { KeyRow, WriteKey } from '../../../db/cluster/write-keys.ts'
import { AtollError } from '../../../db/errors/atoll-error.ts'
import type { Keeping } from '../../own-code/area.ts'
import { replayedHeader } from '../ask/idempotency-key.ts'
import { errors } from '../errors.ts'
import { beginKey, leaveKeys, lookUpKey } from './execute-keys.ts'

/** A function's answer, as it is kept. */
interface KeptAnswer {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Null: none. Text, or bytes in base64. */
  readonly body: { readonly text: string } | { readonly bytes: string } | null
}

/** What is told of this request alone. */
const ownHeaders = new Set(['atoll-session', 'server-timing'])

/**
 * @param work runs the function, and commits with what it is given
 * @returns the answer, and the databases that had committed before
 * @throws AtollError `IDEM002`, `IDEM003`; `SHARD023` when an earlier call has come through on some databases only
 */
export async function callKeyed(
  key: WriteKey,
  timeoutMs: number,
  session: ClusterSession,
  work: (keeping: Keeping<Response>) => Promise<Response>,
): Promise<{ readonly response: Response; readonly databases: readonly string[] }> {
  const { databases } = session.cluster
  const done = doneIn(await beginKey(key, databases, session, (rows) => doneIn(rows).length > 0))
  const [first] = done
  if (first) {
    const committed = done.map(({ database }) => database)
    const wanted = [...new Set(done.flatMap(({ part }) => (part ?? '').split(',')))]
    if (wanted.some((name) => !committed.includes(name))) {
      throw errors.partlyCommitted(
        wanted.map((database) => ({ database, committed: committed.includes(database), error: null })),
      )
    }
    return { response: answerAgain(first.answer ?? ''), databases: committed }
  }
  const keeping: Keeping<Response> = {
    key,
    deadline: Date.now() + timeoutMs,
    keep: (response) => kept(response, key),
    isDone: async (database) =>
      doneIn(await lookUpKey(key, [database], session)).some(({ attempt }) => attempt === key.attempt),
  }
  try {
    return { response: await work(keeping), databases: [] }
  } catch (error) {
    const unknown = isUnknown(error) || (error instanceof AtollError && error.status === 207)
    await leaveKeys(key, databases, unknown, session)
    throw error
  }
}

function doneIn(rows: readonly KeyRow[]): readonly KeyRow[] {
  return rows.filter(({ state }) => state === 'done')
}

async function kept(response: Response, { maxAnswerBytes }: WriteKey): Promise<string> {
  const bytes = new Uint8Array(await response.clone().arrayBuffer())
  const answer: KeptAnswer = {
    status: response.status,
    headers: [...response.headers].filter(([name]) => !ownHeaders.has(name)),
    body: response.body === null ? null : (textOf(bytes) ?? { bytes: base64Of(bytes) }),
  }
  const text = JSON.stringify(answer)
  if (bytes.length > maxAnswerBytes || text.length > 3 * maxAnswerBytes) {
    throw errors.keptTooLarge(maxAnswerBytes)
  }
  return text
}

/** Null for what is not UTF-8. */
function textOf(bytes: Uint8Array): { readonly text: string } | null {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) }
  } catch {
    return null
  }
}

function base64Of(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))
}

function answerAgain(text: string): Response {
  const { status, headers, body } = JSON.parse(text) as KeptAnswer
  const said = new Headers(headers.map(([name, value]): [string, string] => [name, value]))
  said.set(replayedHeader, 'true')
  const bytes = body === null ? null : 'text' in body ? body.text : bytesOf(body.bytes)
  return new Response(bytes, { status, headers: said })
}
