import { AtollError } from '../../db/errors/atoll-error.ts'
import { errors as coreErrors } from '../core/errors.ts'

export const errors = {
  ...coreErrors,
  badSession: () =>
    new AtollError(400, 'SHARD011', 'The session token is none of this project', {
      hint: 'Send what the last answer said in Atoll-Session, or new.',
    }),
  sessionOfTimeTakenBack: () =>
    new AtollError(409, 'SHARD040', 'The session is from before the databases were put back in time', {
      details: 'What it has seen and written may be gone.',
      hint: 'Send new in Atoll-Session, and read again what matters.',
    }),
}
