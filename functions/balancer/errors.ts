/**
 * Errors of origins and what stands before them.
 * @module
 */
import { AtollError, clip } from '../../db/errors/atoll-error.ts'
import { errors as coreErrors } from '../core/errors.ts'

/** RFC 9209: the header says what failed between us and an origin. */
function proxyError(
  status: number,
  code: string,
  message: string,
  type: string,
  retryAfter: number | null = null,
  cause?: unknown,
): AtollError {
  const wait: Record<string, string> = retryAfter === null ? {} : { 'Retry-After': String(retryAfter) }
  return new AtollError(status, code, message, {
    cause,
    headers: { 'Proxy-Status': `atoll; error=${type}`, ...wait },
  })
}

export const errors = {
  ...coreErrors,
  proxyMethod: (method: string, allowed: readonly string[]) =>
    new AtollError(405, 'PROXY001', `No route takes the ${clip(method)} method here`, {
      headers: { Allow: allowed.join(', ') },
    }),
  hiddenPath: () =>
    new AtollError(400, 'PROXY002', 'The path hides separators', {
      details: 'Encoded slashes, backslashes, zeros and dots are not passed on.',
    }),
  proxyLoop: () =>
    proxyError(508, 'PROXY003', 'The request has come through here before', 'proxy_loop_detected'),
  noOrigin: (pool: string) =>
    proxyError(
      503,
      'PROXY004',
      `No origin of the pool "${pool}" can take the request`,
      'destination_unavailable',
      1,
    ),
  poolFull: (pool: string, retryAfter: number) =>
    proxyError(
      503,
      'PROXY005',
      `The pool "${pool}" has too much under way`,
      'connection_limit_reached',
      retryAfter,
    ),
  poolBroken: (pool: string, retryAfter: number) =>
    proxyError(
      503,
      'PROXY006',
      `The pool "${pool}" is left alone for a moment, since nearly everything failed there`,
      'destination_unavailable',
      retryAfter,
    ),
  originLost: (cause: unknown) =>
    proxyError(502, 'PROXY007', 'The origin gave no answer', 'connection_terminated', null, cause),
  originUnreachable: () => proxyError(502, 'PROXY008', 'The origin cannot be reached', 'connection_refused'),
  originSlow: (what: string) =>
    proxyError(504, 'PROXY009', `The origin took too long to ${what}`, 'http_response_timeout'),
  proxiedTooLarge: (max: number) =>
    new AtollError(413, 'PROXY010', 'The body is too large', {
      details: `At most ${max} bytes are passed on.`,
    }),
  proxiedCutShort: () => new AtollError(400, 'PROXY019', 'The body ended before its length'),
  answerTooLarge: (max: number) =>
    proxyError(502, 'PROXY011', `The origin's answer has more than ${max} bytes`, 'http_response_body_size'),
  routeDenied: (signedIn: boolean) =>
    new AtollError(signedIn ? 403 : 401, 'PROXY012', 'The route is not for this caller', {
      headers: signedIn ? {} : { 'WWW-Authenticate': 'Bearer' },
    }),
  originUnset: (variable: string) =>
    new AtollError(503, 'PROXY013', `The variable ${variable}, which an origin needs, is not set`),
  proxiedTooOften: (seconds: number) =>
    new AtollError(429, 'PROXY014', 'Too many requests on this route', {
      headers: { 'Retry-After': String(seconds) },
    }),
  balancerDenied: (signedIn: boolean) =>
    new AtollError(signedIn ? 403 : 401, 'PROXY015', 'The balancer is for the secret key only', {
      headers: signedIn ? {} : { 'WWW-Authenticate': 'Bearer' },
    }),
  unknownOrigin: (what: string) => new AtollError(404, 'PROXY016', `There is no ${clip(what)}`),
  invalidOrders: (issues: readonly unknown[]) =>
    new AtollError(400, 'PROXY017', 'An origin cannot be ordered so', { details: issues }),
  noPoolWatch: () =>
    new AtollError(501, 'PROXY018', 'Weights can only be changed with a Durable Object for pools', {
      hint: 'Bind the class PoolWatch as POOLS in wrangler.toml.',
    }),
}
