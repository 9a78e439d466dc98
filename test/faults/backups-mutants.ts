import type { CodeMutant } from './load-mutant.ts'

export interface BackupMutant extends CodeMutant {
  /** Of increments. */
  readonly ofChains?: boolean
}

/** Rules of backups and restores, each broken on purpose. */
export const mutants: readonly BackupMutant[] = [
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
  {
    name: "begins an increment behind its parent's position",
    file: 'db/backups/make-backup.ts',
    from: 'position as number]',
    to: '(position as number) + 1]',
    ofChains: true,
  },
  {
    name: 'forgets rows that went since the parent',
    file: 'db/backups/parts.ts',
    from: 'for (const [i, line] of lines.entries()) this',
    to: 'for (const [i, line] of lines.entries()) if (line.row !== null) this',
    ofChains: true,
  },
  {
    name: 'adds to a parent though slots have moved',
    file: 'db/backups/find-parent.ts',
    from: 'if (now.slots !== state.slots)',
    to: 'if (now.slots < state.slots)',
    ofChains: true,
  },
  {
    name: 'adds to a parent of another schema',
    file: 'db/backups/find-parent.ts',
    from: 'if (now.schema !== state.schema)',
    to: 'if (now.schema === null)',
    ofChains: true,
  },
  {
    name: 'adds to a parent though the log was cut off since',
    file: 'db/backups/find-parent.ts',
    from: 'if (kept !== position)',
    to: 'if (kept === -1)',
    ofChains: true,
  },
  {
    name: 'lets the log go as soon as a backup is made',
    file: 'db/backups/make-backup.ts',
    from: 'isKept ? keepLog(run.id, position) : letLogGo(run.id)',
    to: 'letLogGo(run.id)',
    ofChains: true,
  },
  {
    name: 'prunes links that an increment adds to',
    file: 'db/backups/keep.ts',
    from: 'link = parents.get(link)',
    to: 'link = undefined',
    ofChains: true,
  },
  {
    name: 'lays the links of a chain the newest first',
    file: 'db/backups/read-chain.ts',
    from: 'links.unshift(link)',
    to: 'links.push(link)',
    ofChains: true,
  },
  {
    name: 'lays tables that are read as a whole once for each link',
    file: 'db/backups/read-chain.ts',
    from: "part.kind === 'whole' ? [] :",
    to: "part.kind === 'changes' && part.lines === 0 ? [] :",
    ofChains: true,
  },
]
