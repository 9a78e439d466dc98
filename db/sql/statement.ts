/** A statement with its parameters, as a database takes it. */
export interface BoundStatement {
  readonly text: string
  readonly parameters: readonly (string | number | null)[]
  /** Whether the request's wording made the text: such a statement may be refused for what it has cost before. */
  readonly isWorded?: boolean
}

/** A row of an answer, by the names of its columns. */
export type Row = Readonly<Record<string, unknown>>
