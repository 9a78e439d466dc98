/**
 * Errors of proving a deployment.
 * @module
 */
import { AtollError } from '../../db/errors/atoll-error.ts'
import { errors as coreErrors } from '../core/errors.ts'

export const errors = {
  ...coreErrors,
  proofDenied: () =>
    new AtollError(401, 'PROOF001', 'A proof is for whoever has the database', {
      hint: 'npm run deploy writes what it shows here into the database; what stands there is another one, or too old.',
      headers: { 'WWW-Authenticate': 'Atoll-Proof' },
    }),
}
