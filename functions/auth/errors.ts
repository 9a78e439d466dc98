/**
 * Errors of accounts, with GoTrue's codes and words: its clients know them by those.
 * https://supabase.com/docs/guides/auth/debugging/error-codes
 * @module
 */
import { AtollError } from '../../db/errors/atoll-error.ts'
import { errors as coreErrors } from '../core/errors.ts'

export const errors = {
  ...coreErrors,
  notDeclared: () =>
    new AtollError(501, 'AUTH001', 'Sign-in is not set up', {
      hint: 'Take the tables of accounts into db/app/schema.ts and db/app/tables.ts, and write functions/app/auth.ts: functions/auth/GUIDE.md.',
    }),
  noSender: (what: string) =>
    new AtollError(501, 'AUTH002', `There is no sender of ${what}`, {
      hint: 'functions/app/auth.ts names it. npm run dev catches mails, and shows them at /_atoll/mail.',
    }),
  noNodeCrypto: (cause: unknown) =>
    new AtollError(501, 'AUTH003', 'Passwords need node:crypto', {
      hint: 'It is there from the compatibility date 2026-08-04 on, or with the flag nodejs_compat in wrangler.toml.',
      cause,
    }),
  validation: (message: string) => new AtollError(400, 'validation_failed', message),
  badJson: () => new AtollError(400, 'bad_json', 'Could not read request body as JSON'),
  notFound: () => new AtollError(404, 'not_found', 'There is nothing at this path'),
  emailExists: () =>
    new AtollError(422, 'email_exists', 'A user with this email address has already been registered'),
  phoneExists: () =>
    new AtollError(422, 'phone_exists', 'A user with this phone number has already been registered'),
  userExists: () => new AtollError(422, 'user_already_exists', 'User already registered'),
  badJwt: (message: string) => new AtollError(403, 'bad_jwt', message),
  notAdmin: () => new AtollError(403, 'not_admin', 'User not allowed'),
  noAuthorization: () =>
    new AtollError(401, 'no_authorization', 'This endpoint requires a valid Bearer token'),
  userNotFound: () => new AtollError(404, 'user_not_found', 'User not found'),
  subjectNotFound: () => new AtollError(403, 'user_not_found', 'User from sub claim in JWT does not exist'),
  sessionNotFound: () =>
    new AtollError(403, 'session_not_found', 'Session from session_id claim in JWT does not exist'),
  sessionExpired: (why: string) =>
    new AtollError(400, 'session_expired', `Invalid Refresh Token: Session Expired (${why})`),
  refreshTokenNotFound: () =>
    new AtollError(400, 'refresh_token_not_found', 'Invalid Refresh Token: Refresh Token Not Found'),
  refreshTokenUsed: () =>
    new AtollError(400, 'refresh_token_already_used', 'Invalid Refresh Token: Already Used'),
  flowNotFound: () =>
    new AtollError(404, 'flow_state_not_found', 'invalid flow state, no valid flow state found'),
  flowExpired: () => new AtollError(403, 'flow_state_expired', 'invalid flow state, flow state has expired'),
  badVerifier: () =>
    new AtollError(400, 'bad_code_verifier', 'code challenge does not match previously saved code verifier'),
  signUpDisabled: () => new AtollError(422, 'signup_disabled', 'Signups not allowed for this instance'),
  otpDisabled: () => new AtollError(422, 'otp_disabled', 'Signups not allowed for otp'),
  addressNotAuthorized: () =>
    new AtollError(422, 'email_address_not_authorized', 'Signups with this email address are not allowed'),
  addressInvalid: () =>
    new AtollError(400, 'email_address_invalid', 'Unable to validate email address: invalid format'),
  phoneInvalid: () =>
    new AtollError(400, 'validation_failed', 'Invalid phone number format (E.164 required)'),
  userBanned: () => new AtollError(400, 'user_banned', 'User is banned'),
  emailDisabled: () => new AtollError(400, 'email_provider_disabled', 'Email logins are disabled'),
  phoneDisabled: () => new AtollError(400, 'phone_provider_disabled', 'Phone logins are disabled'),
  anonymousDisabled: () =>
    new AtollError(422, 'anonymous_provider_disabled', 'Anonymous sign-ins are disabled'),
  captchaFailed: (why: string) =>
    new AtollError(400, 'captcha_failed', `captcha protection: request disallowed (${why})`),
  emailNotConfirmed: () => new AtollError(400, 'email_not_confirmed', 'Email not confirmed'),
  phoneNotConfirmed: () => new AtollError(400, 'phone_not_confirmed', 'Phone not confirmed'),
  invalidCredentials: () => new AtollError(400, 'invalid_credentials', 'Invalid login credentials'),
  weakPassword: (message: string, reasons: readonly string[]) =>
    new AtollError(422, 'weak_password', message, { details: { reasons } }),
  samePassword: () =>
    new AtollError(422, 'same_password', 'New password should be different from the old password.'),
  reauthenticationNeeded: () =>
    new AtollError(400, 'reauthentication_needed', 'Password update requires reauthentication'),
  nonceMissing: () =>
    new AtollError(400, 'reauth_nonce_missing', 'Password update requires a reauthentication nonce'),
  reauthenticationInvalid: () =>
    new AtollError(422, 'reauthentication_not_valid', 'Nonce has expired or is invalid'),
  currentPasswordRequired: () =>
    new AtollError(400, 'current_password_required', 'Current password required when setting new password.'),
  currentPasswordInvalid: () =>
    new AtollError(400, 'current_password_invalid', 'Current password required when setting new password.'),
  otpExpired: () => new AtollError(403, 'otp_expired', 'Token has expired or is invalid'),
  anonymousNeedsAddress: () =>
    new AtollError(
      422,
      'validation_failed',
      'Updating password of an anonymous user without an email or phone is not allowed',
    ),
  requestRate: (seconds: number) =>
    new AtollError(429, 'over_request_rate_limit', 'Request rate limit reached', {
      headers: { 'Retry-After': String(seconds) },
    }),
  emailRate: (seconds: number) =>
    new AtollError(
      429,
      'over_email_send_rate_limit',
      `For security purposes, you can only request this after ${seconds} seconds.`,
      { headers: { 'Retry-After': String(seconds) } },
    ),
  smsRate: (seconds: number) =>
    new AtollError(
      429,
      'over_sms_send_rate_limit',
      `For security purposes, you can only request this after ${seconds} seconds.`,
      { headers: { 'Retry-After': String(seconds) } },
    ),
  factorNotFound: () => new AtollError(404, 'mfa_factor_not_found', 'Factor not found'),
  factorNameTaken: (name: string) =>
    new AtollError(
      422,
      'mfa_factor_name_conflict',
      `A factor with the friendly name "${name}" for this user already exists`,
    ),
  tooManyFactors: () =>
    new AtollError(
      422,
      'too_many_enrolled_mfa_factors',
      'Maximum number of verified factors reached, unenroll to continue',
    ),
  challengeExpired: (id: string) =>
    new AtollError(
      422,
      'mfa_challenge_expired',
      `MFA challenge ${id.slice(0, 40)} has expired, verify against another challenge or create a new challenge.`,
    ),
  codeWrong: () => new AtollError(422, 'mfa_verification_failed', 'Invalid TOTP code entered'),
  enrollNeedsFactor: () => new AtollError(403, 'insufficient_aal', 'AAL2 required to enroll a new factor'),
  unenrollNeedsFactor: () =>
    new AtollError(422, 'insufficient_aal', 'AAL2 required to unenroll verified factor'),
  changeNeedsFactor: () =>
    new AtollError(
      401,
      'insufficient_aal',
      'AAL2 session is required to update email or password when MFA is enabled.',
    ),
  hasRows: () =>
    new AtollError(409, 'conflict', 'Rows of the app refer to this user, and do not go along with it', {
      hint: 'Delete them before, let their foreign key cascade, or delete the user softly.',
    }),
  contended: () =>
    new AtollError(503, 'conflict', 'The address is being registered by others', {
      headers: { 'Retry-After': '1' },
    }),
}
