/** What a statement's parameters may be. */
export type Bindable = string | number | null

/** What a request's parameters are taken from: a plan is of a shape, and this is the rest of the request. */
export interface Bindings {
  readonly operands: readonly string[]
  readonly rights: { value(name: string, index: number): Bindable }
  /** Rows that were read before, as JSON arrays of arrays, in the order of the plan's gathers. */
  readonly gathered?: readonly string[]
}
