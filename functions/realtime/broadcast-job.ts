/**
 * Messages that are sent with a write: a job carries them, which is committed with it.
 * @module
 */
import { z } from 'zod'
import type { EngineJob, EngineServices, JobContext, Sending } from '../jobs/area.ts'

const broadcastJob = 'atoll:broadcast'

const message = z.object({
  topic: z.string(),
  isPrivate: z.boolean(),
  event: z.string(),
  payload: z.string(),
})

export const realtimeJobs: readonly EngineJob[] = [
  {
    name: broadcastJob,
    input: message,
    run: async ({ input }: JobContext<z.output<typeof message>>, { hub }: EngineServices) =>
      hub?.broadcast([input]),
  },
]

/**
 * A message to a channel, sent with a write: if that is committed, at least once.
 *
 * @example await jobs.sendWith(database, [database.insert(notes).values(note)], [broadcasting('notes', 'new', { id: note.id })])
 */
export function broadcasting(
  topic: string,
  event: string,
  payload: unknown,
  { isPrivate = false }: { readonly isPrivate?: boolean } = {},
): Sending {
  const input: z.input<typeof message> = { topic, isPrivate, event, payload: JSON.stringify(payload ?? null) }
  return { job: { name: broadcastJob } as Sending['job'], input, options: {} }
}
