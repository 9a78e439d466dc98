/** One promise of an objective, and what was measured. */
export interface Judged {
  /** `p99 of album`, say. */
  readonly what: string
  readonly wanted: string
  readonly found: string
  /** Null: it could not be measured, which does not count as held. */
  readonly holds: boolean | null
}
