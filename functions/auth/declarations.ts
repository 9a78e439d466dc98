/**
 * What an app says of accounts, in `functions/app/auth.ts`. It is longer than other files, as all of it is looked up in one place.
 * @module
 */
import type { AppEnv } from '../core/app-env.ts'
import type { UserRow } from './rows/user-rows.ts'

/** A user as hooks and senders see them. */
export interface AuthUser {
  readonly id: string
  readonly email: string | null
  readonly phone: string | null
  readonly role: string
  readonly appMetadata: Readonly<Record<string, unknown>>
  readonly userMetadata: Readonly<Record<string, unknown>>
  readonly isAnonymous: boolean
}

export function authUserOf(user: UserRow): AuthUser {
  return {
    id: user.id,
    email: user.email,
    phone: user.phone,
    role: user.role,
    appMetadata: user.app_metadata,
    userMetadata: user.user_metadata,
    isAnonymous: user.is_anonymous,
  }
}

/** What a mail is about. */
export type MailKind =
  | 'confirmation'
  | 'invite'
  | 'magiclink'
  | 'recovery'
  | 'email-change'
  | 'reauthentication'

/** What templates are made of. */
export interface MailContent {
  readonly kind: MailKind
  readonly to: string
  /** A link that does what the mail is about; null where there is none. */
  readonly link: string | null
  /** Digits that do the same, typed in. */
  readonly code: string
  /** For links of the app's own, which give it to `verifyOtp({ token_hash, type })`. */
  readonly tokenHash: string
  /** Where whoever asked wants to end up. */
  readonly redirectTo: string
  /** Of a change of the address: the new one. */
  readonly newEmail: string | null
  readonly user: AuthUser
  /** What the user's `user_metadata.locale` says, or else what the browser sent: `de`, `en-GB`; null where neither does. */
  readonly language: string | null
}

export interface Mail {
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html?: string
}

/** What a sender is given beside the message. */
export interface SendContext {
  readonly env: AppEnv
  /** The same for each try of one message: services that know such keys send it once. */
  readonly id: string
}

/** Sends a mail; what it throws is tried again later. */
export type SendMail = (mail: Mail, context: SendContext) => Promise<void>

/** A text message. */
export interface Sms {
  /** Digits with the country's code, without `+`. */
  readonly to: string
  readonly text: string
  readonly channel: 'sms' | 'whatsapp'
}

export type SendSms = (message: Sms, context: SendContext) => Promise<void>

/** Makes the text of a mail; `null` takes the built-in one. */
export type MailTemplate = (content: MailContent) => Omit<Mail, 'to'> | null

export interface BeforeUserCreated {
  readonly user: Pick<AuthUser, 'email' | 'phone' | 'appMetadata' | 'userMetadata' | 'isAnonymous'>
  /** `email`, `phone`, `anonymous`, `invite`, `admin`, or a provider's name. */
  readonly method: string
  readonly request: Request
  readonly env: AppEnv
}

export interface PasswordAttempt {
  readonly user: AuthUser
  readonly isValid: boolean
  readonly request: Request
  readonly env: AppEnv
}

export interface MfaAttempt extends PasswordAttempt {
  readonly factorId: string
  readonly factorType: string
}

export interface TokenClaims {
  readonly user: AuthUser
  /** What the token says otherwise; `sub`, `iss`, `exp` and `session_id` stay as they are. */
  readonly claims: Readonly<Record<string, unknown>>
  /** By what the session came about: `password`, `token_refresh`, … */
  readonly method: string
  readonly env: AppEnv
}

/** What may be thrown to refuse: `refuse(403, 'signup_disabled', 'not now')`. */
export interface AuthHooks {
  /** Asked before a user is made. It may refuse by throwing what `refuse` makes, or answer with metadata to add. */
  readonly beforeUserCreated?: (
    call: BeforeUserCreated,
  ) => Promise<Partial<Pick<AuthUser, 'appMetadata' | 'userMetadata'>> | undefined>
  /** Claims to add to a token, or to set otherwise. */
  readonly claims?: (call: TokenClaims) => Promise<Readonly<Record<string, unknown>>>
  /** Asked after a password was compared; it may refuse by throwing. */
  readonly passwordAttempt?: (call: PasswordAttempt) => Promise<void>
  /** The same for second factors. */
  readonly mfaAttempt?: (call: MfaAttempt) => Promise<void>
}

export interface PasswordRules {
  /** Least number of characters. Default 8. */
  readonly minLength?: number
  /** Sets of characters, of each of which there must be one. Default none. */
  readonly required?: readonly ('lower' | 'upper' | 'digits' | 'symbols')[]
  /** Whether passwords that are known from breaches are refused: asked of haveibeenpwned.com by five digits of a hash. Default false. */
  readonly refuseBreached?: boolean
  /** Whether the current one must be given to set another. Default false. */
  readonly requireCurrent?: boolean
  /** Whether a code from a mail is needed to set another when the session is older than a day. Default false. */
  readonly requireReauthentication?: boolean
  /** Cost of scrypt: memory is 128 × `n` × `r` bytes. Default n 16,384, r 8, p 5. */
  readonly scrypt?: { readonly n: number; readonly r: number; readonly p: number }
}

export interface SessionRules {
  /** How long a session lasts whatever is done with it, in seconds; null: as long as it is refreshed. Default null. */
  readonly timeboxSeconds?: number | null
  /** After how long without a refresh it ends, in seconds; null: never. Default null. */
  readonly inactivitySeconds?: number | null
  /** Whether a sign-in ends the user's other sessions. Default false. */
  readonly single?: boolean
}

export interface TokenRules {
  /** `ES256`: signed with a key that is public at `/auth/v1/.well-known/jwks.json`; `HS256`: with ATOLL_JWT_SECRET. Default `ES256`. */
  readonly algorithm?: 'ES256' | 'HS256'
  /** How long an access token lasts, in seconds. Default 3600. */
  readonly accessSeconds?: number
  /** For how long a refresh token that was just used is answered as it was, in seconds, for clients that lost the answer. Default 10. */
  readonly reuseSeconds?: number
  /** After how many days another key signs; null: only when somebody asks for it. Default 90. */
  readonly rotateKeysDays?: number | null
}

export interface RateLimits {
  /** Most of each kind in an hour for one account: mails and messages that are sent. Default 30. */
  readonly sentPerHour?: number
  /** Least time between two mails or messages to one address, in seconds; null: 60, and none where mails are caught. Default null. */
  readonly sentEverySeconds?: number | null
  /** Wrong passwords and codes for one account in fifteen minutes. Default 20. */
  readonly failuresPerAccount?: number
  /** Wrong passwords and codes of one network address in fifteen minutes. Default 100. */
  readonly failuresPerAddress?: number
  /** Accounts made by one network address in an hour, anonymous ones too. Default 100. */
  readonly signUpsPerAddress?: number
}

/** How people sign in. */
export interface AuthDeclaration {
  /** Who may make an account: anybody, only who is invited, or who has an address of these domains. Default `open`. */
  readonly signUp?: 'open' | 'invited' | { readonly domains: readonly string[] }
  /** Whether an address must be confirmed before its account is of use. Default true. */
  readonly confirmEmail?: boolean
  readonly confirmPhone?: boolean
  /** E-mail addresses as accounts. Default true. */
  readonly email?: boolean
  /** Phone numbers as accounts. Default: when there is a sender of text messages. */
  readonly phone?: boolean
  /** Accounts without an address. Default false. */
  readonly anonymous?: boolean
  /** Where links may lead: `https://app.example.com/**`, `myapp://callback`; `*` is all within a segment, `**` all. The first one is where they lead otherwise. */
  readonly redirects?: readonly string[]
  readonly sendMail?: SendMail
  readonly sendSms?: SendSms
  /** Texts of mails by their kinds. */
  readonly templates?: Partial<Record<MailKind, MailTemplate>>
  /** Text of a message with a code. */
  readonly smsText?: (code: string, user: AuthUser) => string
  readonly hooks?: AuthHooks
  readonly passwords?: PasswordRules
  readonly sessions?: SessionRules
  readonly tokens?: TokenRules
  /** How long links and codes last, in seconds. Default 3600. */
  readonly otpSeconds?: number
  /** Digits of a code. Default 6. */
  readonly otpDigits?: number
  /** How often a code may be typed in. Default 5. */
  readonly otpTries?: number
  /** Whether both addresses confirm a change. Default true. */
  readonly doubleConfirmEmailChange?: boolean
  readonly rateLimits?: RateLimits
  /** How long entries of the audit log are kept, in days; null: for ever. Default 365. */
  readonly auditDays?: number | null
  /** Cloudflare Turnstile; `secret` is the name of a variable. Asked of sign-ups, sign-ins and whatever sends something. */
  readonly captcha?: { readonly secret: string; readonly hostnames?: readonly string[] }
}

/**
 * How people sign in: `functions/app/auth.ts`. Without that file, or without the tables of accounts, `/auth/v1` answers 501.
 *
 * @example export default defineAuth({ redirects: ['https://app.example.com/**'], sendMail: async (mail, { env }) => { … } })
 */
export function defineAuth(declaration: AuthDeclaration): AuthDeclaration {
  return declaration
}

type Complete<T> = { readonly [Name in keyof T]-?: NonNullable<T[Name]> | Extract<T[Name], null> }

/** The same with its defaults. */
export interface AuthTerms {
  readonly signUp: NonNullable<AuthDeclaration['signUp']>
  readonly confirmEmail: boolean
  readonly confirmPhone: boolean
  readonly email: boolean
  readonly phone: boolean
  readonly anonymous: boolean
  readonly redirects: readonly string[]
  readonly sendMail: SendMail | null
  readonly sendSms: SendSms | null
  readonly templates: Partial<Record<MailKind, MailTemplate>>
  readonly smsText: (code: string, user: AuthUser) => string
  readonly hooks: AuthHooks
  readonly passwords: Complete<PasswordRules>
  readonly sessions: Complete<SessionRules>
  readonly tokens: Complete<TokenRules>
  readonly otpSeconds: number
  readonly otpDigits: number
  readonly otpTries: number
  readonly doubleConfirmEmailChange: boolean
  readonly rateLimits: Complete<RateLimits>
  readonly auditDays: number | null
  readonly captcha: AuthDeclaration['captcha'] | null
}

/** @throws Error for what cannot be meant */
export function termsOf(said: AuthDeclaration): AuthTerms {
  const { passwords, sessions, tokens, rateLimits } = said
  const terms: AuthTerms = {
    signUp: said.signUp ?? 'open',
    confirmEmail: said.confirmEmail ?? true,
    confirmPhone: said.confirmPhone ?? true,
    email: said.email ?? true,
    phone: said.phone ?? said.sendSms !== undefined,
    anonymous: said.anonymous ?? false,
    redirects: said.redirects ?? [],
    sendMail: said.sendMail ?? null,
    sendSms: said.sendSms ?? null,
    templates: said.templates ?? {},
    smsText: said.smsText ?? ((code) => `Your code is ${code}`),
    hooks: said.hooks ?? {},
    passwords: {
      minLength: 8,
      required: [],
      refuseBreached: false,
      requireCurrent: false,
      requireReauthentication: false,
      scrypt: { n: 16_384, r: 8, p: 5 },
      ...passwords,
    },
    sessions: { timeboxSeconds: null, inactivitySeconds: null, single: false, ...sessions },
    tokens: { algorithm: 'ES256', accessSeconds: 3600, reuseSeconds: 10, rotateKeysDays: 90, ...tokens },
    otpSeconds: said.otpSeconds ?? 3600,
    otpDigits: said.otpDigits ?? 6,
    otpTries: said.otpTries ?? 5,
    doubleConfirmEmailChange: said.doubleConfirmEmailChange ?? true,
    rateLimits: {
      sentPerHour: 30,
      sentEverySeconds: null,
      failuresPerAccount: 20,
      failuresPerAddress: 100,
      signUpsPerAddress: 100,
      ...rateLimits,
    },
    auditDays: said.auditDays === undefined ? 365 : said.auditDays,
    captcha: said.captcha ?? null,
  }
  const { n, r, p } = terms.passwords.scrypt
  if (!(n >= 2 && (n & (n - 1)) === 0 && r >= 1 && p >= 1))
    throw new Error('functions/app/auth.ts: scrypt.n is a power of two, and r and p are at least 1')
  if (128 * n * r > 64_000_000)
    throw new Error(
      'functions/app/auth.ts: scrypt would take more than 64 MB, of the 128 MB that an isolate has',
    )
  if (!(terms.otpDigits >= 6 && terms.otpDigits <= 10))
    throw new Error('functions/app/auth.ts: otpDigits is from 6 to 10')
  if (!(terms.passwords.minLength >= 6))
    throw new Error('functions/app/auth.ts: passwords.minLength is at least 6')
  return terms
}
