/**
 * A way to local databases for scripts and tests: a small Worker beside the app's that runs whole batches. Miniflare's own proxy
 * takes two milliseconds for each statement that is prepared.
 * @module
 */
import type { Miniflare } from 'miniflare'

export const doorName = 'atoll-databases'

/** The Worker's code: one batch in, its results out. */
const code = `export default {
  async fetch(request, env) {
    const { binding, statements, isBatch } = await request.json()
    const bytes = (value) => value?.base64 === undefined ? value : Uint8Array.from(atob(value.base64), (char) => char.charCodeAt(0))
    try {
      const prepared = statements.map(({ text, values }) => env[binding].prepare(text).bind(...values.map(bytes)))
      return Response.json({ results: isBatch ? await env[binding].batch(prepared) : [await prepared[0].all()] })
    } catch (error) {
      return Response.json({ error: error.message })
    }
  },
}`

/** Options of that Worker, beside those of the one that it shares databases with. */
export function doorOptions(d1Databases: Readonly<Record<string, string>>) {
  return {
    name: doorName,
    modules: [{ type: 'ESModule' as const, path: 'databases.mjs', contents: code }],
    compatibilityDate: '2026-11-01',
    d1Databases: { ...d1Databases },
  }
}

type Value = string | number | null | Uint8Array | ArrayBuffer

class DoorStatement {
  readonly text: string
  readonly values: readonly Value[]
  readonly #send: Send

  constructor(text: string, values: readonly Value[], send: Send) {
    this.text = text
    this.values = values
    this.#send = send
  }

  bind(...values: Value[]): DoorStatement {
    return new DoorStatement(this.text, values, this.#send)
  }

  async all(): Promise<D1Result> {
    return (await this.#send([this], false))[0] as D1Result
  }

  run(): Promise<D1Result> {
    return this.all()
  }

  async first(column?: string): Promise<unknown> {
    const row = (await this.all()).results[0] as Record<string, unknown> | undefined
    return (column === undefined ? row : row?.[column]) ?? null
  }

  async raw(): Promise<unknown[][]> {
    return (await this.all()).results.map((row) => Object.values(row as object))
  }
}

type Send = (statements: readonly DoorStatement[], isBatch: boolean) => Promise<D1Result[]>

/** A database as D1's binding, but for sessions. */
export function openDatabase(miniflare: Miniflare, binding: string): D1Database {
  const send: Send = async (statements, isBatch) => {
    if (statements.length === 0) return []
    const worker = await miniflare.getWorker(doorName)
    const texts = statements.map(({ text, values }) => ({ text, values: values.map(written) }))
    const answer = await worker.fetch('http://databases/', {
      method: 'POST',
      body: JSON.stringify({ binding, statements: texts, isBatch }),
    })
    const { results, error } = (await answer.json()) as { results?: D1Result[]; error?: string }
    if (results === undefined) throw new Error(error)
    return results
  }
  const database = {
    prepare: (text: string) => new DoorStatement(text, [], send),
    batch: (statements: readonly DoorStatement[]) => send(statements, true),
    exec: (text: string) => send([new DoorStatement(text, [], send)], false),
  }
  return database as unknown as D1Database
}

function written(value: Value): unknown {
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString('base64') }
  return value instanceof ArrayBuffer ? { base64: Buffer.from(value).toString('base64') } : value
}
