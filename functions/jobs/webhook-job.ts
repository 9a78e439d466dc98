/**
 * Webhooks as jobs: each change that one is subscribed to is a signed request.
 * @module
 */

import type { ReadSetting } from '../core/setting.ts'
import type { JobsConfig } from './config.ts'
import { giveUp, type JobContext, type RowChange, retryAfter } from './define-job.ts'
import type { Webhook } from './define-webhook.ts'
import type { EngineJob } from './job-registry.ts'
import { isPublicAddress, lookUp, whyNotPublic } from './public-address.ts'
import { readWebhookSecret, signWebhook } from './sign-webhook.ts'

/** How often deliveries are tried: for about a day and a half. Delays in seconds. */
export const webhookRetry = { maxAttempts: 10, minDelaySeconds: 5, maxDelaySeconds: 36_000, factor: 5 }

/** Longest time that a receiver may put its next try off by. */
const maxRetryAfterSeconds = 86_400

/** The job that delivers a webhook. Its deliveries of one row's changes come one after the other. */
export function webhookJob(webhook: Webhook, config: JobsConfig): EngineJob {
  const { name, on, concurrency, timeoutSeconds = 15 } = webhook
  return {
    name: `webhook:${name}`,
    on,
    retry: { ...webhookRetry, ...webhook.retry },
    timeoutSeconds,
    ...(concurrency === undefined ? {} : { concurrency }),
    run: (context: JobContext<RowChange>, { setting }) => deliver(webhook, config, setting, context),
  }
}

async function deliver(
  { name, url, secret }: Webhook,
  config: JobsConfig,
  setting: ReadSetting,
  { id, input, signal }: JobContext<RowChange>,
): Promise<void> {
  const { table, operation, at, old, new: record, ...rest } = input
  const data = { table, operation, ...rest, record, old_record: old }
  const body = JSON.stringify({ type: `${table}.${operation}`, timestamp: at, data })
  await sendSigned({ what: `webhook ${name}`, url, secret, id, body, signal }, config, setting)
}

/** A request by Standard Webhooks. */
export interface SignedRequest {
  /** What it is, for errors. */
  readonly what: string
  readonly url: Webhook['url']
  /** Name of the secret that signs it. */
  readonly secret: string
  /** The same for each try. */
  readonly id: string
  readonly body: string
  readonly signal: AbortSignal
}

/** @throws what tells the job whether, and when, to try again */
export async function sendSigned(
  { what, url: where, secret, id, body, signal }: SignedRequest,
  config: JobsConfig,
  read: ReadSetting,
): Promise<void> {
  const key = readWebhookSecret(read(secret) ?? '')
  if (key === null) throw new Error(`${secret} is not set to whsec_ and 24 to 64 bytes in base64`)
  const text = typeof where === 'string' ? where : (read(where.variable) ?? '')
  if (!URL.canParse(text)) throw giveUp(`${what} has no address`)
  const url = new URL(text)
  if (!config.webhooksToPrivateAddresses) await checkPublic(url, config, signal)
  const headers = await signWebhook(key, id, Math.floor(Date.now() / 1000), body)
  const response = await fetch(url, {
    method: 'POST',
    body,
    headers: { ...headers, 'Content-Type': 'application/json', 'User-Agent': 'Atoll' },
    // A redirect could lead anywhere, past the check.
    redirect: 'manual',
    signal,
  })
  await response.body?.cancel()
  if (response.ok) return
  const why = `${url.host} answered ${response.status}`
  if (response.status === 410) throw giveUp(`${why}: it wants no more`)
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  if ([429, 503].includes(response.status) && seconds >= 0) {
    throw retryAfter(Math.min(seconds, maxRetryAfterSeconds), why)
  }
  throw new Error(why)
}

async function checkPublic(url: URL, { webhookResolver }: JobsConfig, signal: AbortSignal): Promise<void> {
  const why = whyNotPublic(url)
  if (why !== null) throw giveUp(`not delivered: ${why}`)
  if (webhookResolver === null || /^[\d.]+$|:/.test(url.hostname)) return
  const addresses = await lookUp(url.hostname, webhookResolver, signal)
  if (addresses.length === 0) throw new Error(`${url.hostname} has no address`)
  const other = addresses.find((address) => !isPublicAddress(address))
  if (other !== undefined) throw giveUp(`not delivered: ${url.hostname} is at ${other}, no public address`)
}
