import { errors } from '../errors.ts'
import { readText } from '../read-text.ts'

/**
 * The body's text, refused as soon as it is known to be too large: by its stated length, or while it flows.
 */
export async function readBody(
  raw: Request,
  maxBytes: number,
  tooLarge: (bytes: number | null) => Error = () => errors.bodyTooLarge(maxBytes),
): Promise<string> {
  const stated = Number(raw.headers.get('content-length') ?? 0)
  if (stated > maxBytes) throw tooLarge(stated)
  try {
    return await readText(raw.body, maxBytes, () => tooLarge(null))
  } catch (error) {
    if (error instanceof TypeError) throw errors.invalidBody('The body is not UTF-8')
    throw error
  }
}
