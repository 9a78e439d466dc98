/** A statement with its parameters, as a database takes it. */
export interface BoundStatement {
  readonly text: string
  readonly parameters: readonly (string | number | null)[]
  /** Whether the request's wording made the text: such a statement may be refused for what it has cost before. */
  readonly isWorded?: boolean
  /** What it makes sure of before others are read: of a fence. */
  readonly fence?: Fence
}

/** That slots are owned and open, that nothing has changed hands since an epoch, or that copies are as new as a position. */
export type Fence =
  | { readonly kind: 'slots'; readonly slots: readonly number[] }
  | { readonly kind: 'epoch'; readonly epoch: number }
  | { readonly kind: 'copies'; readonly sequence: number }

/** A row of an answer, by the names of its columns. */
export type Row = Readonly<Record<string, unknown>>
