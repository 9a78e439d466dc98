/**
 * What the dashboard is told. Types alone, for both sides.
 * @module
 */

export interface ObjectiveState {
  readonly name: string
  readonly target: number
  /** Over the last six hours. */
  readonly requests: number
  readonly bad: number
  /** How many times faster than it may the budget is used up, in the last hour. */
  readonly burnRate: number
  readonly isBurning: boolean
}

export interface ShownAdvice {
  readonly indexes: readonly ShownIndex[]
  readonly unused: readonly {
    readonly name: string
    readonly table: string
    readonly columns: readonly string[]
  }[]
  readonly untried: number
  /** Dollars that all shapes have cost in the time that is looked at. */
  readonly dollars: number
}

export interface ShownIndex {
  readonly name: string
  readonly table: string
  readonly sql: string
  readonly drizzle: string
  /** Rows read in the time that is looked at, and those that would have been. */
  readonly rowsRead: { readonly before: number; readonly after: number }
  readonly savedDollars: number
  /** Rows that writes to the table would have written more. */
  readonly rowsWrittenMore: number
  readonly costDollars: number
  readonly shapes: readonly {
    readonly method: string
    readonly table: string
    readonly shape: string
    readonly calls: number
    /** Rows read by one call, on the copy. */
    readonly before: number
    readonly after: number
  }[]
}
