import type { CoreServices } from '../core/context.ts'
import type { AppDatabases } from './app-databases.ts'
import { errors } from './errors.ts'
import type { ChannelSender } from './given.ts'

/** `realtime` of a function, route or job. What a transaction sends waits for its commit. */
export function createChannelSender(
  { hub }: Pick<CoreServices, 'hub'>,
  databases: Pick<AppDatabases, 'transaction'>,
  later: (work: Promise<unknown>) => void,
): ChannelSender {
  return {
    async send(topic, event, payload, { isPrivate = false } = {}) {
      if (hub === null) throw errors.noHub()
      const message = { topic, isPrivate, event, payload: JSON.stringify(payload ?? null) }
      const { transaction } = databases
      if (transaction === null) return hub.broadcast([message])
      transaction.afterCommit(() => later(hub.broadcast([message]).catch(() => undefined)))
    },
  }
}
