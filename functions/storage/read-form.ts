/**
 * Uploads as `multipart/form-data`, as browsers send them: fields, and one file whose bytes are passed on as they come.
 * @module
 */
import * as Multipasta from 'multipasta'
import { errors } from '../errors.ts'
import type { Chunks } from './receive.ts'

export interface Form {
  /** Those that came before the file's end. */
  readonly fields: ReadonlyMap<string, string>
  readonly mime: string
  readonly file: Chunks
}

const maxFieldBytes = 1_000_000
const maxParts = 20

/**
 * Reads a form up to its file.
 *
 * @throws AtollError for what is no such form
 */
export async function readForm(body: ReadableStream<Uint8Array>, contentType: string): Promise<Form> {
  const fields = new Map<string, string>()
  const queue: Uint8Array[] = []
  let mime: string | null = null
  let isOver = false
  let failure: unknown = null
  let formEnded = false
  const parser = Multipasta.make({
    headers: { 'content-type': contentType },
    maxParts,
    maxFieldSize: maxFieldBytes,
    // Clients name the file nothing, and some leave out that it is one.
    isFile: (info) => info.filename !== undefined || info.name === '',
    onField: (info, value) => void fields.set(info.name, Multipasta.decodeField(info, value)),
    onFile: (info) => {
      if (mime !== null) return () => undefined
      mime = info.contentType || 'application/octet-stream'
      return (chunk) => {
        // The parser goes on using its memory.
        if (chunk === null) isOver = true
        else queue.push(chunk.slice())
      }
    },
    onError: (error) => {
      failure ??= errors.invalidStorageRequest(`the form cannot be read: ${error._tag}`)
    },
    onDone: () => {
      formEnded = true
    },
  })
  const reader = body.getReader()
  const more = async () => {
    const { done, value } = await reader.read()
    if (done) parser.end()
    else parser.write(value)
    if (failure !== null) throw failure
    if (done && !formEnded) throw errors.bodyCutShort()
    return !done
  }
  while (mime === null && (await more()));
  if (mime === null) throw errors.invalidStorageRequest('the form has no file')
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        while (queue.length > 0) yield queue.shift() as Uint8Array
        if (isOver || !(await more())) break
      }
      while (queue.length > 0) yield queue.shift() as Uint8Array
      if (!isOver) throw errors.bodyCutShort()
      // Fields may come behind the file.
      while (!formEnded && (await more()));
    } finally {
      reader.releaseLock()
    }
  }
  return { fields, mime, file: chunks() }
}
