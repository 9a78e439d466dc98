/**
 * What an app declares of webhooks: changes that others are told of, as signed requests.
 * @module
 */
import type { ChangeFilter, RetryPolicy } from './define-job.ts'

export interface Webhook {
  /** Part of the name of its job, `webhook:<name>`. */
  readonly name: string
  readonly on: ChangeFilter | readonly ChangeFilter[]
  /** Where it goes: an address, or the name of the variable or secret that holds it. */
  readonly url: string | { readonly variable: string }
  /** Name of the secret that signs it (`wrangler secret put`, or `.dev.vars` locally): `whsec_` and 24 to 64 bytes in base64. */
  readonly secret: string
  /** Default: 10 tries, from 5 seconds to 10 hours apart. */
  readonly retry?: Partial<RetryPolicy>
  /** Longest time that the receiver may take. Default 15. */
  readonly timeoutSeconds?: number
  /** How many requests to it may be under way. Default any number. */
  readonly concurrency?: number
}

/** The webhooks of `functions/app/webhooks.ts`. */
export type WebhookManifest = readonly Webhook[]

/**
 * Tells others of changes, by Standard Webhooks (https://www.standardwebhooks.com).
 *
 * @example
 * defineWebhook({
 *   name: 'accounting',
 *   on: changes('invoices', ['insert', 'update']),
 *   url: 'https://accounting.example.com/hooks',
 *   secret: 'ACCOUNTING_WEBHOOK_SECRET',
 * })
 */
export function defineWebhook(webhook: Webhook): Webhook {
  return webhook
}
