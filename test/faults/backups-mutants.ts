import type { CodeMutant } from './load-mutant.ts'

/** Rules of backups and restores, each broken on purpose. */
export const mutants: readonly CodeMutant[] = [
  {
    name: 'skips chunks of a table',
    file: 'db/backups/make-backup.ts',
    from: 'lines.push(...read)',
    to: 'if (place.after === beforeAll) lines.push(...read)',
  },
  {
    name: 'ignores the change log until the end',
    file: 'db/backups/make-backup.ts',
    from: 'lines.push(...followed.lines)',
    to: '',
  },
  {
    name: 'ignores the log of the last transaction',
    file: 'db/backups/make-backup.ts',
    from: "[database, 'changes', ended.changes],",
    to: '',
  },
  {
    name: 'begins the last transaction one change too late',
    file: 'db/backups/end-database.ts',
    from: 'const since = String(position)',
    to: 'const since = String(position + 1)',
  },
  {
    name: 'tells a position that it has gone beyond',
    file: 'db/backups/end-database.ts',
    from: 'position: sequence,',
    to: 'position,',
  },
  {
    name: 'forgets rows that went',
    file: 'db/backups/read-database.ts',
    from: 'return [...keys].map((key)',
    to: 'return [...rows.keys()].map((key)',
  },
  {
    name: 'takes what a chunk found for later than the log',
    file: 'db/backups/parts.ts',
    from: "part.kind === 'rows' ? last === undefined : last",
    to: "part.kind === 'rows' ? true : last",
  },
  {
    name: 'lays children before parents',
    file: 'db/backups/plan-restore.ts',
    from: '.sort((a, b) => rank(a) - rank(b))',
    to: '.sort((a, b) => rank(b) - rank(a))',
  },
  {
    name: 'lays a step twice that it does not know to be done',
    file: 'db/backups/lay-rows.ts',
    from: 'if (by === restore && at >= step) return',
    to: '',
  },
  {
    name: 'forgets references that come before what they refer to',
    file: 'db/backups/restore-items.ts',
    from: "...over('late', late),",
    to: '',
  },
]
