import type { Finding } from './check-whole.ts'
import type { Counted } from './format.ts'
import type { Laid } from './plan-restore.ts'

/** How far a restore has come. */
export interface RestoreProgress {
  readonly laid: readonly Laid[]
  /** Items of `itemsOf` that are done, and where the next one has come to. */
  readonly item: number
  readonly items: number
  readonly at: unknown
  readonly rows: number
  /** What ought to be there, by table. */
  readonly expected: Readonly<Record<string, Counted>>
  /** Files that could not be read, and why. */
  readonly damaged: Readonly<Record<string, string>>
  /** Tables of which rows were left out, as what they refer to is damaged or gone. */
  readonly orphans: readonly string[]
  /** Rows that were left out, as their values were erased since. */
  readonly forgotten?: number
  /** Rows that were taken away, as the backup lacks them; and by table those that stayed, as others refer to them. */
  readonly taken?: number
  readonly stayed?: Readonly<Record<string, number>>
  readonly findings: readonly Finding[]
}

/** What a restore says of itself when all is laid: what it left out, took away, and could not. */
export function endFindings(progress: RestoreProgress): Finding[] {
  const { damaged, orphans, forgotten = 0, taken = 0, stayed = {} } = progress
  const wrong = (check: string, says: string): Finding => ({ check, isRight: false, says })
  return [
    ...Object.entries(damaged).map(([file, says]) => wrong(`file ${file}`, says)),
    ...orphans.map((name) =>
      wrong(`rows of ${name}`, 'some were left out, as what they refer to is not there'),
    ),
    ...(forgotten > 0
      ? [{ check: 'erased values', isRight: true, says: `${forgotten} rows were left out` }]
      : []),
    ...(taken > 0
      ? [{ check: 'rows taken away', isRight: true, says: `${taken} that the backup lacks` }]
      : []),
    ...Object.entries(stayed).map(([name, n]) =>
      wrong(`rows of ${name}`, `${n} that the backup lacks stay, as others refer to them`),
    ),
  ]
}
