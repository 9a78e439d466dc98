/**
 * Errors of moving slots.
 * @module
 */
import { AtollError, clip } from '../../db/errors/atoll-error.ts'
import { errors as coreErrors } from '../core/errors.ts'

export const errors = {
  ...coreErrors,
  shardsNeedSecretKey: (signedIn: boolean) =>
    new AtollError(signedIn ? 403 : 401, 'SHARD030', 'Shards are for the secret key only', {
      headers: signedIn ? {} : { 'WWW-Authenticate': 'Bearer' },
    }),
  invalidShardsRequest: (details: unknown) =>
    new AtollError(400, 'SHARD031', 'The request to /shards/v1 is not understood', { details }),
  noSuchMove: (id: string) => new AtollError(404, 'SHARD032', `No move has the id "${clip(id)}"`),
  wrongMoveState: (state: string, hint: string) =>
    new AtollError(409, 'SHARD033', `The move is ${state}`, { hint }),
  cannotMove: (details: string, hint?: string) =>
    new AtollError(409, 'SHARD034', 'Slots cannot move so', { details, ...(hint ? { hint } : {}) }),
  cannotConvert: (details: string, hint?: string) =>
    new AtollError(409, 'SHARD036', 'Tables cannot be converted so', { details, ...(hint ? { hint } : {}) }),
  noMover: () =>
    new AtollError(501, 'SHARD035', 'Slots are moved by a Durable Object', {
      hint: 'Bind the class Relay as RELAY in wrangler.toml.',
    }),
}
