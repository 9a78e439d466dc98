import { errors } from './errors.ts'
import { parseJson } from './parse-json.ts'
import type { PendingWork } from './pending-work.ts'
import { readTextOf } from './read-text.ts'

/**
 * The body's text, refused as soon as it is known to be too large: by its stated length, or while it flows.
 *
 * @param pending has room for it until `done` is called for the request; null for what the app's own code sends, which is in memory already
 */
export async function readBody(
  raw: Request,
  maxBytes: number,
  pending: PendingWork | null,
  tooLarge: (bytes: number | null) => Error = () => errors.bodyTooLarge(maxBytes),
): Promise<string> {
  const stated = Number(raw.headers.get('content-length') ?? 0)
  if (stated > maxBytes) throw tooLarge(stated)
  try {
    return await readTextOf(raw, pending, maxBytes, () => tooLarge(null))
  } catch (error) {
    if (error instanceof TypeError) throw errors.invalidBody('The body is not UTF-8')
    throw error
  }
}

/** A small JSON body, whose room is given back at once. @throws 400 for what is no JSON; 413, 503, 408 as `readBody` */
export async function readJsonOf(raw: Request, maxBytes: number, pending: PendingWork): Promise<unknown> {
  try {
    return parseJson(await readBody(raw, maxBytes, pending))
  } finally {
    pending.done(raw)
  }
}
