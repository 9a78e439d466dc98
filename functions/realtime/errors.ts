/**
 * Errors of realtime's HTTP paths; over sockets, they are frames.
 * @module
 */
import { AtollError } from '../../db/errors/atoll-error.ts'
import { errors as coreErrors } from '../core/errors.ts'

export const errors = {
  ...coreErrors,
  noRealtime: () =>
    new AtollError(501, 'REAL001', 'Realtime needs a Durable Object', {
      hint: 'Bind the class Realtime as REALTIME in wrangler.toml.',
    }),
  notUpgraded: () =>
    new AtollError(426, 'REAL002', 'A WebSocket is expected here', {
      headers: { Upgrade: 'websocket', Connection: 'Upgrade' },
    }),
  unknownVersion: () => new AtollError(400, 'REAL003', 'The version of the protocol is 1.0.0 or 2.0.0'),
  badMessages: (details: string) =>
    new AtollError(422, 'REAL004', 'The messages are not understood', { details }),
  mayNotSend: (topic: string) =>
    new AtollError(403, 'REAL005', `You do not have permissions to send to this Channel topic: ${topic}`),
  tooManySockets: () =>
    new AtollError(429, 'REAL006', 'Too many connected users', { headers: { 'Retry-After': '10' } }),
}
