/**
 * Bodies that an app's routes read as a whole (`c.req.json()` and its like): bounded, and with room for them while the request is
 * worked on. What a route reads as a stream (`c.req.raw.body`) is its own affair, and is in memory only as far as it keeps it.
 * @module
 */

import type { PendingWork } from '../core/pending-work.ts'
import { readBytesOf } from '../core/read-text.ts'
import { errors } from '../own-code/area.ts'
import { type Budget, checkBodyOf, mediaType } from '../rest/area.ts'

const readers = ['arrayBuffer', 'blob', 'bytes', 'formData', 'json', 'text'] as const

/**
 * Has a request's own methods read its body within bounds.
 *
 * They throw 413 for a body of more than `maxBytes` or of more values than the role may send, 503 when there is no room, 408 when it comes
 * so slowly that others need its room.
 */
export function boundBody(
  raw: Request,
  { budget, maxBytes, pending }: { budget: Budget; maxBytes: number; pending: PendingWork },
): void {
  if (raw.body === null) return
  const type = raw.headers.get('content-type') ?? ''
  const isJson = /[/+]json$/.test(mediaType(type))
  const read = async (reader: (typeof readers)[number]) => {
    const bytes = await readBytesOf(raw, pending, maxBytes, () => errors.bodyTooLarge(maxBytes))
    const response = new Response(bytes, type === '' ? {} : { headers: { 'content-type': type } })
    if (reader !== 'json' && (reader !== 'text' || !isJson)) return response[reader]()
    const text = await response.text()
    // Whoever reads it as text parses it: what is made of it is counted before it is made.
    await checkBodyOf(raw, text, true, { ...budget, bodyRows: Number.POSITIVE_INFINITY }, pending)
    return reader === 'json' ? JSON.parse(text) : text
  }
  for (const reader of readers)
    Object.defineProperty(raw, reader, { value: () => read(reader), configurable: true, writable: true })
}
