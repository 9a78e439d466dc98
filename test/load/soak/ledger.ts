/**
 * What clients have had acknowledged besides values of rows: rows that were inserted once, who holds which unique value, and which
 * rows were deleted or referred to.
 * @module
 */
import type { WriteOutcome } from './asker.ts'

export interface Holder {
  readonly id: number
  /** Whether a request that gives the value up is under way, or may have come through. */
  isLeaving: boolean
}

/** A track of which one client has taken away the row, while another has put an item that names it. */
export interface Referral {
  readonly track: number
  readonly item: number
  readonly made: WriteOutcome
  readonly gone: WriteOutcome
}

export class Ledger {
  /** Inserts by their mark, and what was said of each. */
  readonly invoices = new Map<string, WriteOutcome>()
  readonly artists = new Map<string, WriteOutcome>()
  readonly holders = new Map<string, Holder>()
  readonly referrals: Referral[] = []
  /** Numbers that no two rows have. */
  next = 1
}
