/**
 * Configuration of what all areas stand on, with its defaults, and the keys that the environment holds.
 * @module
 */

/** What all areas stand on: bodies, memory, who may call from a browser. */
export interface CoreConfig {
  /**
   * What callers are told of errors: `verbose`, with details and hints; `minimal`, code and message alone, as PostgREST's `client-error-verbosity`. The secret
   * key is told all. Default `verbose`.
   */
  readonly errorVerbosity: 'verbose' | 'minimal'
  /** Origins that browsers may call from; `*` for all. Default `*`. */
  readonly corsOrigins: '*' | readonly string[]
  /** Whether all answers carry `Server-Timing`, and not only those that the secret key asks it of. Default false. */
  readonly serverTiming: boolean
  /** Largest body of a request to `/rest/v1`, in bytes. Default 10,000,000. */
  readonly maxBodyBytes: number
  /**
   * Bytes of all that an isolate keeps and works on: compiled shapes, answers, tokens, counts, bodies. The platform gives it 128 MB, of which
   * code and garbage take a good third. Default 80,000,000.
   */
  readonly isolateBytes: number
  /** How many of them bodies may take that are being worked on, with what is made of them: three times a JSON body. Default 48,000,000. */
  readonly pendingBytes: number
}

export const coreDefaults: CoreConfig = {
  errorVerbosity: 'verbose',
  corsOrigins: '*',
  serverTiming: false,
  maxBodyBytes: 10_000_000,
  isolateBytes: 80_000_000,
  pendingBytes: 48_000_000,
}

/** The project's keys; an empty one matches nothing. */
export interface Keys {
  readonly publishable: string
  readonly secret: string
  /** Signs the tokens of users. */
  readonly jwtSecret: string
  /** Address of the public keys that sign them as well, a JWKS (RFC 7517). */
  readonly jwksUrl: string
}

/** Where the project's keys are. */
export interface KeysEnv {
  readonly ATOLL_PUBLISHABLE_KEY?: string
  readonly ATOLL_SECRET_KEY?: string
  readonly ATOLL_JWT_SECRET?: string
  readonly ATOLL_JWKS_URL?: string
}

/** What the engine's own seals and signatures are made with: whoever has both keys could make them anyway. */
export function sealingSecretOf({ secret, jwtSecret }: Keys): string {
  return `${secret}\n${jwtSecret}`
}

export function readKeys(env: KeysEnv): Keys {
  return {
    publishable: env.ATOLL_PUBLISHABLE_KEY ?? '',
    secret: env.ATOLL_SECRET_KEY ?? '',
    jwtSecret: env.ATOLL_JWT_SECRET ?? '',
    jwksUrl: env.ATOLL_JWKS_URL ?? '',
  }
}

/** A variable or secret that the app's own declarations name. */
export function readSetting(env: object, name: string): string | undefined {
  const value = (env as Record<string, unknown>)[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}
