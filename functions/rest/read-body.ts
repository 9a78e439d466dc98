import { errors } from '../errors.ts'

/**
 * The body's text, refused as soon as it is known to be too large: by its stated length, or while it flows.
 */
export async function readBody(raw: Request, maxBytes: number): Promise<string> {
  const stated = Number(raw.headers.get('content-length') ?? 0)
  if (stated > maxBytes) throw errors.bodyTooLarge(maxBytes)
  if (!raw.body) return ''
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })
  let text = ''
  let bytes = 0
  try {
    for await (const chunk of raw.body as ReadableStream<Uint8Array>) {
      bytes += chunk.byteLength
      if (bytes > maxBytes) throw errors.bodyTooLarge(maxBytes)
      text += decoder.decode(chunk, { stream: true })
    }
    return text + decoder.decode()
  } catch (error) {
    if (error instanceof TypeError) throw errors.invalidBody('The body is not UTF-8')
    throw error
  }
}
