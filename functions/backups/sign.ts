import type { Signer } from '../../db/backups/format.ts'

/** @param secret what only this project knows */
export function createSigner(secret: string): Signer {
  let key: Promise<CryptoKey> | null = null
  return {
    async sign(text) {
      key ??= crypto.subtle.importKey(
        'raw',
        new TextEncoder().encode(`atoll-backup\n${secret}`),
        { name: 'HMAC', hash: 'SHA-256' },
        false,
        ['sign'],
      )
      const bytes = await crypto.subtle.sign('HMAC', await key, new TextEncoder().encode(text))
      return [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
    },
  }
}
