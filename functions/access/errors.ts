/**
 * Errors of who is calling.
 * @module
 */
import { AtollError, clip, refusal } from '../../db/errors/atoll-error.ts'
import { errors as coreErrors } from '../core/errors.ts'

/** RFC 6750, 3: the header says why. */
function unauthorized(code: string, message: string, details: string | null): AtollError {
  const why = `Bearer error="invalid_token", error_description="${message}"`
  return new AtollError(401, code, message, { details, headers: { 'WWW-Authenticate': why } })
}

export const errors = {
  ...coreErrors,
  noTokenSecret: () =>
    new AtollError(500, 'PGRST300', 'Server lacks JWT secret', { hint: 'Set the secret ATOLL_JWT_SECRET.' }),
  unknownKey: () => unauthorized('PGRST301', 'Unknown API key', null),
  badToken: (message: string, details: string | null = null) => unauthorized('PGRST301', message, details),
  noSuitableKey: () =>
    unauthorized(
      'PGRST301',
      'No suitable key or wrong key type',
      'None of the keys was able to decode the JWT',
    ),
  badClaims: (message: string) => unauthorized('PGRST303', message, null),
  unknownRole: (role: string) =>
    new AtollError(401, '22023', `role "${clip(role)}" does not exist`, {
      hint: 'Name it in a table, function or bucket, or in roles of functions/app/config.ts.',
    }),
  tooManyRequests: (seconds: number) =>
    new AtollError(429, 'ACCESS001', 'Too many requests', {
      hint: `Ask again in ${seconds} seconds.`,
      headers: { 'Retry-After': String(seconds) },
    }),
  noKeySet: (cause: unknown) =>
    new AtollError(503, 'ACCESS002', 'The keys that tokens are signed with cannot be fetched', {
      headers: { 'Retry-After': '5' },
      cause,
    }),
  noAnonymous: () =>
    new AtollError(401, 'PGRST302', 'Anonymous access is disabled', {
      headers: { 'WWW-Authenticate': 'Bearer' },
    }),
  denied: (table: string, signedIn: boolean) => refusal(signedIn, `permission denied for table ${table}`),
}
