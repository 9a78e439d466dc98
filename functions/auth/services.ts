import type { AccessServices } from '../access/area.ts'
import type { CoreConfig } from '../core/config.ts'
import type { AtollEnv as AtollEnvOf, CoreEnv } from '../core/context.ts'
import type { CoreEngine } from '../core/engine.ts'
import type { JobsServices } from '../jobs/area.ts'
import type { Services as RestServices } from '../rest/area.ts'
import type { AuthTerms } from './declarations.ts'
import type { Secrets } from './secrets.ts'
import type { SigningKeys } from './sessions/signing-keys.ts'

export interface AuthEnv extends CoreEnv {
  /** `catch`: mails and text messages are kept and shown at `/_atoll/mail`, and sent to nobody. Set by `npm run dev`. */
  readonly ATOLL_MAIL?: string
}

/** What the area makes of an app. */
export interface AuthEngine {
  /** Null: the app has not set up sign-in. */
  readonly auth: AuthTerms | null
}

/** What the area offers. */
export interface AuthServices {
  readonly signingKeys: SigningKeys
  readonly authSecrets: Secrets
  /** Whether messages are caught. */
  readonly catchesMail: boolean
}

/** What its code uses. */
export interface Services extends AccessServices, RestServices, JobsServices, AuthServices {}

/** The part of the configuration that it reads. */
export interface AuthConfig {
  readonly jwtIssuer: string | null
  readonly jwtAudience: string | null
}

export type Engine = CoreEngine<CoreConfig & AuthConfig> & AuthEngine

export type AtollEnv = AtollEnvOf<Services>
