/**
 * Uploads as `multipart/form-data`, as browsers send them: fields, and one file whose bytes are passed on as they come.
 * @module
 */
import { errors } from './errors.ts'
import { readFormHeader } from './form-header.ts'
import { FormParser, type FormPart, type PartSink, unreadable } from './form-parser.ts'
import type { Chunks } from './receive.ts'

export interface Form {
  /** Those that have come: all of them, once the file was read to its end. */
  readonly fields: ReadonlyMap<string, string>
  readonly mime: string
  readonly file: Chunks
}

/** Of all fields together; those that count for something are a few thousand characters. */
const maxFieldBytes = 100_000

const ignored: PartSink = { add: () => undefined, end: () => undefined }

/**
 * Reads a form up to its file.
 *
 * @throws AtollError for what is no such form
 */
export async function readForm(body: ReadableStream<Uint8Array>, contentType: string): Promise<Form> {
  const fields = new Map<string, string>()
  const queue: Uint8Array[] = []
  let mime: string | null = null
  const left = { bytes: maxFieldBytes }
  const boundary = readFormHeader(contentType)?.parameters.get('boundary')
  if (!boundary) throw unreadable('its Content-Type has no boundary')
  const parser = new FormParser(boundary, (part) => {
    // Clients name the file nothing, and some leave out that it is one.
    if (!part.hasFilename && part.name !== '') return fieldSink(part, fields, left)
    if (mime !== null) return ignored
    mime = mimeOf(part)
    // The parser goes on using its memory.
    return { add: (bytes) => void queue.push(bytes.slice()), end: () => undefined }
  })
  const reader = body.getReader()
  const more = async () => {
    const { done, value } = await reader.read()
    if (done) parser.end()
    else parser.write(value)
  }
  while (mime === null && !parser.hasEnded) await more()
  if (mime === null) throw errors.invalidStorageRequest('the form has no file')
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        while (queue.length > 0) yield queue.shift() as Uint8Array
        // Fields may come behind the file.
        if (parser.hasEnded) return
        await more()
      }
    } finally {
      reader.releaseLock()
    }
  }
  return { fields, mime, file: chunks() }
}

function mimeOf({ type, hasFilename }: FormPart): string {
  if (type !== null && /^[^\s/]+\/[^\s/]+$/.test(type.value)) return type.value
  return hasFilename ? 'application/octet-stream' : 'text/plain'
}

function fieldSink({ name, type }: FormPart, fields: Map<string, string>, left: { bytes: number }): PartSink {
  const decoder = decoderOf(type?.parameters.get('charset') ?? 'utf-8')
  let text = ''
  return {
    add: (bytes) => {
      left.bytes -= bytes.length
      if (left.bytes < 0) throw unreadable(`its fields have more than ${maxFieldBytes} bytes`)
      text += decoder.decode(bytes, { stream: true })
    },
    end: () => void fields.set(name, text + decoder.decode()),
  }
}

function decoderOf(charset: string): TextDecoder {
  try {
    return new TextDecoder(charset)
  } catch {
    return new TextDecoder()
  }
}
