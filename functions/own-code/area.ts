/**
 * What the app's own code is given, be it a function, a route or a job: databases by Drizzle, the data API from inside, transactions; and
 * what is told of its failures.
 * @module
 */
import type { Area } from '../core/area.ts'
import { errors } from './errors.ts'

// What areas above it use.
export { openApi, openServiceApi } from './api.ts'
export { type AppDatabases, openAppDatabases } from './app-databases.ts'
export { createChannelSender } from './channel-sender.ts'
export { errors } from './errors.ts'
export type { Api, ChannelSender, ServiceApi, Shards } from './given.ts'
export type { RunsFor } from './runs-for.ts'
export { nameViolation, tellFailure } from './tell-failure.ts'
export { type Keeping, openTransaction, type Transaction } from './transaction/transaction.ts'
export { watched } from './watch-call.ts'

export const ownCode = {
  name: 'own-code',
  errors,
} satisfies Area
