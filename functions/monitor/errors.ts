/**
 * Errors of metrics and the dashboard.
 * @module
 */
import { AtollError } from '../../db/errors/atoll-error.ts'
import { errors as coreErrors } from '../core/errors.ts'

export const errors = {
  ...coreErrors,
  monitorDenied: (signedIn: boolean) =>
    new AtollError(signedIn ? 403 : 401, 'MON001', 'This is for who has the secret key', {
      headers: signedIn ? {} : { 'WWW-Authenticate': 'Bearer' },
    }),
  notOwnPage: () => new AtollError(403, 'MON002', 'The dashboard is asked by its own pages only'),
  invalidMonitorQuery: (issues: readonly unknown[]) =>
    new AtollError(400, 'MON003', 'The request to the dashboard is not understood', { details: issues }),
  noAdvisor: () =>
    new AtollError(501, 'MON004', 'Advice needs what was measured, and a place to try indexes', {
      hint: 'Bind the classes Metrics as METRICS and Advisor as ADVISOR in wrangler.toml.',
    }),
}
