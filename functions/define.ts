/**
 * The front door of `functions/`: what the app's files in `functions/app/` import.
 * @module
 */
import type { AtollConfig } from './areas.ts'

export type { Before, CallerValues } from './access/area.ts'
export {
  type AuthDeclaration,
  type AuthHooks,
  type AuthUser,
  defineAuth,
  type Mail,
  type MailContent,
  type MailKind,
  type MailTemplate,
  type SendContext,
  type SendMail,
  type SendSms,
  type Sms,
} from './auth/declarations.ts'
export {
  defineOrigins,
  type OriginDeclarations,
  type PoolDeclaration,
  type RouteDeclaration,
} from './balancer/declarations.ts'
// All of it, so that the app can add to it.
export * from './core/app-env.ts'
export type { Caller } from './core/caller.ts'
export { refuse } from './core/errors.ts'
export {
  changes,
  defineJob,
  giveUp,
  type JobContext,
  type JobManifest,
  type Jobs,
  type RowChange,
  retryAfter,
  sending,
} from './jobs/define-job.ts'
export { defineWebhook, type WebhookManifest } from './jobs/define-webhook.ts'
export * from './own-code/app-types.ts'
export type { Api, ChannelSender, DataClient, ServiceApi, Shard, Shards } from './own-code/given.ts'
export { broadcasting } from './realtime/broadcast-job.ts'
export {
  type ChannelAccess,
  type ChannelCondition,
  type ChannelContext,
  type ChannelGrants,
  defineRealtime,
  type RealtimeDeclarations,
} from './realtime/define-realtime.ts'
export {
  type AnyFunction,
  defineFunction,
  type FunctionContext,
  type FunctionDefinition,
  type FunctionManifest,
  type FunctionResponse,
  nothing,
  type Returns,
  record,
  records,
  row,
  rows,
  scalar,
  value,
  values,
  type WholeBody,
  wholeBody,
} from './rest/define-function.ts'
export type { RouteEnv, RouteManifest } from './routes/define-route.ts'
export type { AtollEnv } from './routes/services.ts'

/**
 * The app's configuration; what is left out has the default that `AtollConfig` names.
 *
 * @example export default defineConfig({ maxRows: 500 })
 */
export function defineConfig(config: Partial<AtollConfig>): Partial<AtollConfig> {
  return config
}
