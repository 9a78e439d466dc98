/**
 * The area's part of `functions/app/config.ts`.
 * @module
 */

/** Jobs, webhooks, and the change log that starts them. */
export interface JobsConfig {
  /** How long a job that was sent to its queue may wait there before it is sent again, in seconds; doubled each time. Default 60. */
  readonly jobResendSeconds: number
  /** How long a Worker may be silent before the jobs that it runs are taken from it, in seconds. Default 60. */
  readonly jobLeaseSeconds: number
  /** How long jobs that have ended are kept to be looked at, in seconds. Default 3600. */
  readonly jobKeepSeconds: number
  /** Whether webhooks may be delivered to private and loopback addresses. Default false. */
  readonly webhooksToPrivateAddresses: boolean
  /** Where names in webhooks' addresses are looked up, DNS over HTTPS as JSON; null: nowhere. Default Cloudflare's. */
  readonly webhookResolver: string | null
}

export const jobsDefaults: JobsConfig = {
  jobResendSeconds: 60,
  jobLeaseSeconds: 60,
  jobKeepSeconds: 3600,
  webhooksToPrivateAddresses: false,
  webhookResolver: 'https://cloudflare-dns.com/dns-query',
}
