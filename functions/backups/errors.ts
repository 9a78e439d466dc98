/**
 * Errors of backups.
 * @module
 */
import { AtollError, clip } from '../../db/errors/atoll-error.ts'
import { errors as coreErrors } from '../core/errors.ts'

export const errors = {
  ...coreErrors,
  backupsNeedSecretKey: (signedIn: boolean) =>
    new AtollError(signedIn ? 403 : 401, 'BACKUP001', 'Backups are for the secret key only', {
      headers: signedIn ? {} : { 'WWW-Authenticate': 'Bearer' },
    }),
  invalidBackupsRequest: (details: unknown) =>
    new AtollError(400, 'BACKUP002', 'The request to /backups/v1 is not understood', { details }),
  noSuchBackup: (id: string) => new AtollError(404, 'BACKUP003', `No backup has the id "${clip(id)}"`),
  noSuchRun: (id: string) =>
    new AtollError(404, 'BACKUP004', `Nothing that was asked for has the id "${clip(id)}"`),
  badManifest: (details: string) =>
    new AtollError(409, 'BACKUP005', 'The manifest is not to be used', {
      details,
      hint: 'A backup of a project with other secrets needs its ATOLL_BACKUP_SECRET, or its keys.',
    }),
  cannotRestore: (problems: readonly string[]) =>
    new AtollError(409, 'BACKUP006', 'The backup cannot be restored so', { details: problems.join(' ') }),
  brokenChain: (details: string) =>
    new AtollError(409, 'BACKUP015', 'A link of the chain is missing', { details }),
  isNeeded: (increments: readonly string[]) =>
    new AtollError(409, 'BACKUP016', 'Increments add to the backup', {
      details: `They are ${increments.join(', ')}.`,
      hint: 'Delete them with it: ?increments=true, or --increments.',
    }),
  runIsOver: (state: string) => new AtollError(409, 'BACKUP007', `It is ${state}`),
  noKeepRules: () =>
    new AtollError(409, 'BACKUP009', 'No rule says which backups are kept', {
      hint: 'Say so in backups.keep of functions/app/config.ts, or in the request.',
    }),
  whichGroup: (groups: readonly string[]) =>
    new AtollError(409, 'BACKUP010', 'It is not clear of which tables the value is', {
      details: `The groups of tables that lie together are: ${groups.join(', ')}.`,
      hint: 'Name a group, or a table of it.',
    }),
  nowhereToBackUp: () =>
    new AtollError(501, 'BACKUP008', 'Backups need a bucket and a Durable Object', {
      hint: 'Bind an R2 bucket as BACKUPS or BUCKET, and the class Relay as RELAY, in wrangler.toml.',
    }),
}
