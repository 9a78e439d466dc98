/**
 * Errors of jobs and webhooks.
 * @module
 */
import { AtollError, clip } from '../../db/errors/atoll-error.ts'
import { errors as coreErrors } from '../core/errors.ts'

export const errors = {
  ...coreErrors,
  unknownJob: (name: string) =>
    new AtollError(404, 'JOB001', `There is no job "${clip(name)}"`, {
      hint: 'Jobs are those that functions/app/jobs/index.ts names.',
    }),
  invalidJobInput: (name: string, issues: readonly unknown[]) =>
    new AtollError(400, 'JOB002', `The job "${name}" does not take this input`, { details: issues }),
  noSuchJob: (id: string) => new AtollError(404, 'JOB003', `No job has the id "${clip(id)}"`),
  wrongJobState: (state: string, hint: string) =>
    new AtollError(409, 'JOB004', `The job is ${state}`, { hint }),
  invalidSend: (details: string) => new AtollError(400, 'JOB005', 'The job cannot be sent so', { details }),
  jobsNeedSecretKey: (signedIn: boolean) =>
    new AtollError(signedIn ? 403 : 401, 'JOB006', 'Jobs are for the secret key only', {
      headers: signedIn ? {} : { 'WWW-Authenticate': 'Bearer' },
    }),
  invalidJobsQuery: (issues: readonly unknown[]) =>
    new AtollError(400, 'JOB008', 'The request to /jobs/v1 is not understood', { details: issues }),
  payloadTooLarge: (max: number) =>
    new AtollError(413, 'JOB007', `A payload of more than ${max} bytes needs R2`, {
      hint: 'Bind a bucket as BUCKET in wrangler.toml.',
    }),
}
