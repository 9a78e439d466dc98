import type { Duty } from '../core/duty.ts'
import type { Services } from './services.ts'
import { dropExpired, sweepFiles } from './sweep-files.ts'

/** What relays look after for files. */
export function duties(): readonly Duty<Services, unknown>[] {
  /** Whether more uploads have expired than were cleared away; a relay that was evicted learns of it when it repairs. */
  let hasExpired = false
  return [
    {
      name: 'expired uploads',
      when: 'always',
      onPrimary: true,
      async run({ services: { files }, session, repairs }) {
        if (!hasExpired || repairs || !files) return null
        hasExpired = (await dropExpired(files, session, Date.now())).isMore
        return hasExpired ? Date.now() : null
      },
    },
    {
      name: 'files',
      when: 'repair',
      onPrimary: true,
      async run({ services: { files }, session, memory }) {
        if (!files) return null
        const after = (await memory.get<string>('files')) ?? null
        const swept = await sweepFiles(files, session, after)
        await memory.put('files', swept.after)
        hasExpired = swept.isMore
        return swept.isMore ? Date.now() : null
      },
    },
  ]
}
