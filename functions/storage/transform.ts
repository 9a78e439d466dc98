/**
 * What may be asked of an image, as Supabase's clients say it.
 * @module
 */
import { z } from 'zod'
import { errors } from './errors.ts'

const side = z.coerce.number().int().min(1).max(2500)

/** What may be asked of an image; sides in pixels. */
export const transforming = z.object({
  width: side.optional(),
  height: side.optional(),
  resize: z.enum(['cover', 'contain', 'fill']).default('cover'),
  quality: z.coerce.number().int().min(20).max(100).default(80),
  /** Left out: a format that the browser takes and that is smaller. */
  format: z.literal('origin').optional(),
})
export type Transform = z.output<typeof transforming>

/** @throws InvalidRequest for what is no transformation */
export function transformOf(asked: unknown): Transform {
  const parsed = transforming.safeParse(asked)
  if (parsed.success) return parsed.data
  throw errors.invalidStorageRequest(
    parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '),
  )
}
