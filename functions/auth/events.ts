/**
 * What the area tells the log.
 * @module
 */
import { type Emit, emitter } from '../core/events.ts'

/** A refresh token came that had been used long before: somebody has a copy of it, and the session was ended. */
export interface RefreshTokenReusedEvent {
  readonly kind: 'refresh-token-reused'
  readonly user: string
  readonly session: string
}

/** A mail or text message could not be sent; the job that sends it tries again. */
export interface MessageFailedEvent {
  readonly kind: 'auth-message-failed'
  readonly what: string
  readonly error: unknown
}

/** Another key signs tokens. */
export interface SigningKeyMadeEvent {
  readonly kind: 'signing-key-made'
  readonly key: string
}

/** All that is told to the log of accounts. */
export type AuthEvent = RefreshTokenReusedEvent | MessageFailedEvent | SigningKeyMadeEvent

export const emit: Emit<AuthEvent> = emitter<AuthEvent>()
