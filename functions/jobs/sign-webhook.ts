/**
 * Signatures of Standard Webhooks:
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 * @module
 */

/** The key that a secret holds; null when it is none. */
export function readWebhookSecret(secret: string): Uint8Array<ArrayBuffer> | null {
  try {
    const bytes = Uint8Array.from(atob(secret.replace(/^whsec_/, '')), (char) => char.charCodeAt(0))
    return bytes.length >= 24 && bytes.length <= 64 ? bytes : null
  } catch {
    return null
  }
}

/** Headers that say who sends a body, and when. */
export async function signWebhook(
  key: Uint8Array<ArrayBuffer>,
  id: string,
  seconds: number,
  body: string,
): Promise<Record<string, string>> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const imported = await crypto.subtle.importKey('raw', key, algorithm, false, ['sign'])
  const signed = await crypto.subtle.sign(
    'HMAC',
    imported,
    new TextEncoder().encode(`${id}.${seconds}.${body}`),
  )
  const signature = btoa(String.fromCharCode(...new Uint8Array(signed)))
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': `v1,${signature}`,
  }
}
