/**
 * The keys that sign access tokens: ECDSA on P-256 (ES256). A new key is public for some time before it signs, and the one before it is taken
 * for as long as its tokens live, so that nobody who verifies tokens ever meets a key that they have not heard of.
 * @module
 */
import type { ClusterSession } from '../../../db/cluster/session.ts'
import type { Row } from '../../../db/sql/statement.ts'
import { emit } from '../events.ts'
import { insertRow, numberIn, objectIn, textIn } from '../rows/json-row.ts'
import type { Secrets } from '../secrets.ts'

/** How long a key is public before it signs, in milliseconds: verifiers keep what they have fetched for ten minutes. */
export const announceMs = 15 * 60_000
/** After so long an isolate asks again which keys there are, in milliseconds. */
const freshMs = 60_000
/** Least time between two questions for a key that is not known, in milliseconds: tokens may name any. */
const pauseMs = 5_000

export interface SigningKey {
  readonly id: string
  readonly publicJwk: Readonly<Record<string, unknown>>
  /** Sealed; null: it signs no more. */
  readonly privateJwk: string | null
  readonly createdAt: number
  readonly activeAt: number
  readonly endsAt: number | null
}

type Open = () => ClusterSession

const algorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const

/** Made once for an environment: what it has read, all requests of the isolate share. */
export class SigningKeys {
  readonly #open: Open
  readonly #secrets: Secrets
  readonly #imported = new Map<string, Promise<CryptoKey>>()
  #keys: readonly SigningKey[] = []
  #readAt = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | null = null

  constructor(open: Open, secrets: Secrets) {
    this.#open = open
    this.#secrets = secrets
  }

  /** The public key that a token's header names; null: it is none of ours. */
  async find(kid: string): Promise<CryptoKey | null> {
    let key = await this.#known(kid)
    if (key === undefined && Date.now() - this.#readAt >= pauseMs) {
      await this.#read()
      key = await this.#known(kid)
    }
    if (key === undefined || (key.endsAt !== null && key.endsAt <= Date.now())) return null
    return this.#import(`public ${kid}`, async () => key.publicJwk as unknown as JsonWebKey, ['verify'])
  }

  /** The key that signs now; the first one is made when it is asked for. */
  async current(): Promise<{ readonly id: string; readonly key: CryptoKey }> {
    await this.#refresh()
    let signing = this.#signing()
    if (signing === null) {
      await this.#make(Date.now(), true)
      await this.#read()
      signing = this.#signing()
    }
    if (signing === null) throw new Error('there is no signing key, and none could be made')
    const { id, privateJwk } = signing
    const key = await this.#import(`private ${id}`, () => this.#unseal(privateJwk as string), ['sign'])
    return { id, key }
  }

  /** The public keys, as a JWKS (RFC 7517): those that sign, signed or are about to. */
  async publicKeys(): Promise<readonly Readonly<Record<string, unknown>>[]> {
    await this.current()
    const now = Date.now()
    return this.#keys
      .filter(({ endsAt }) => endsAt === null || endsAt > now)
      .map(({ id, publicJwk }) => ({ ...publicJwk, kid: id, use: 'sig', alg: 'ES256', key_ops: ['verify'] }))
  }

  /**
   * Makes another key, which signs when everybody has had time to hear of it. Those before it are taken until their last tokens have ended.
   *
   * @param lifetimeMs of access tokens
   * @param isUrgent whether it signs at once, and those before it are taken no more, as one of them is known to somebody else
   */
  async rotate(lifetimeMs: number, isUrgent = false): Promise<string> {
    const now = Date.now()
    const activeAt = isUrgent ? now : now + announceMs
    const id = await this.#make(activeAt, false)
    const end = isUrgent ? now : activeAt + lifetimeMs + 60_000
    await this.#open().primary([
      {
        text: 'UPDATE auth_signing_keys SET ends_at = CAST(?2 AS INTEGER) WHERE id <> ?1 AND (ends_at IS NULL OR ends_at > CAST(?2 AS INTEGER))',
        parameters: [id, String(end)],
      },
    ])
    await this.#read()
    return id
  }

  /** The age of the key that signs, in milliseconds; null: there is none yet, or another is about to take its place. */
  async age(): Promise<number | null> {
    await this.#read()
    const latest = this.#keys.toSorted((a, b) => b.activeAt - a.activeAt)[0]
    return latest === undefined || latest.activeAt > Date.now() ? null : Date.now() - latest.activeAt
  }

  async #known(kid: string): Promise<SigningKey | undefined> {
    const known = this.#keys.find(({ id }) => id === kid)
    // One that was taken back is to be known of within a minute.
    if (known && Date.now() - this.#readAt >= freshMs) await this.#refresh()
    return this.#keys.find(({ id }) => id === kid)
  }

  #signing(): SigningKey | null {
    const now = Date.now()
    const able = this.#keys.filter(
      ({ privateJwk, activeAt, endsAt }) =>
        privateJwk !== null && activeAt <= now && (endsAt === null || endsAt > now),
    )
    return able.toSorted((a, b) => b.activeAt - a.activeAt)[0] ?? null
  }

  async #refresh(): Promise<void> {
    if (Date.now() - this.#readAt < freshMs) return
    await this.#read()
  }

  async #read(): Promise<void> {
    this.#reading ??= (async () => {
      try {
        const [rows = []] = await this.#open().primary([
          { text: 'SELECT * FROM auth_signing_keys', parameters: [] },
        ])
        this.#keys = rows.map(keyOf)
        this.#readAt = Date.now()
      } finally {
        this.#reading = null
      }
    })()
    await this.#reading
  }

  /** @param isFirst only if there is none: of two isolates that make the first, one does */
  async #make(activeAt: number, isFirst: boolean): Promise<string> {
    const pair = (await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as CryptoKeyPair
    const [publicJwk, privateJwk] = (await Promise.all([
      crypto.subtle.exportKey('jwk', pair.publicKey),
      crypto.subtle.exportKey('jwk', pair.privateKey),
    ])) as [JsonWebKey, JsonWebKey]
    const { kty, crv, x, y } = publicJwk
    const id = crypto.randomUUID()
    const row = {
      id,
      public_jwk: { kty, crv, x, y } as Record<string, unknown>,
      private_jwk: await this.#secrets.sealer('signing-key').seal(privateJwk),
      created_at: Date.now(),
      active_at: activeAt,
      ends_at: null,
    }
    const none = 'WHERE NOT EXISTS (SELECT 1 FROM auth_signing_keys)'
    const [made = []] = await this.#open().primary([
      insertRow('auth_signing_keys', row, isFirst ? `${none} RETURNING id` : 'RETURNING id'),
    ])
    if (made.length > 0) emit({ kind: 'signing-key-made', key: id })
    return id
  }

  async #unseal(sealed: string): Promise<JsonWebKey> {
    const jwk = await this.#secrets.sealer('signing-key').open(sealed)
    if (jwk === null) throw new Error('ATOLL_JWT_SECRET is not the one that signing keys were sealed with')
    return jwk as JsonWebKey
  }

  #import(name: string, jwk: () => Promise<JsonWebKey>, usages: KeyUsage[]): Promise<CryptoKey> {
    const known = this.#imported.get(name)
    if (known) return known
    const imported = jwk().then((one) => {
      const { key_ops: _, ext: __, ...plain } = one
      return crypto.subtle.importKey('jwk', plain, algorithm, false, usages)
    })
    this.#imported.set(name, imported)
    imported.catch(() => this.#imported.delete(name))
    return imported
  }
}

type KeyUsage = 'sign' | 'verify'

function keyOf(row: Row): SigningKey {
  return {
    id: row.id as string,
    publicJwk: objectIn(row.public_jwk),
    privateJwk: textIn(row.private_jwk),
    createdAt: Number(row.created_at),
    activeAt: Number(row.active_at),
    endsAt: numberIn(row.ends_at),
  }
}
