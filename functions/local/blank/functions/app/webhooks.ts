import type { WebhookManifest } from '../define.ts'

/** Whom to tell of changes, with `defineWebhook`. */
export default [] satisfies WebhookManifest
