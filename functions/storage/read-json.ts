import type { z } from 'zod'
import { parseJson } from '../core/parse-json.ts'
import { readBody } from '../core/read-body.ts'
import { errors } from './errors.ts'
import type { StorageVisit } from './storage-context.ts'

const maxBytes = 1_000_000

/** A small JSON body, checked. */
export async function readJson<Schema extends z.ZodType>(
  { raw, services: { pending } }: Pick<StorageVisit, 'raw' | 'services'>,
  schema: Schema,
): Promise<z.output<Schema>> {
  try {
    const text = await readBody(raw, maxBytes, pending)
    const body = schema.safeParse(text === '' ? {} : parseJson(text))
    if (!body.success) throw errors.invalidStorageRequest(body.error.issues)
    return body.data
  } finally {
    pending.done(raw)
  }
}
