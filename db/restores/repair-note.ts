/** What repairs have found and done, in words for operators. */
export type RepairNote =
  | { readonly kind: 'numbers'; readonly table: string; readonly next: number }
  | { readonly kind: 'map'; readonly epoch: number }
  | {
      readonly kind: 'slots'
      readonly first: number
      readonly last: number
      readonly owners: readonly string[]
    }
  | { readonly kind: 'copies'; readonly database: string; readonly rows: number }
  | { readonly kind: 'came-back'; readonly table: string; readonly keys: readonly string[] }
  | {
      readonly kind: 'kept'
      readonly table: string
      readonly database: string
      readonly keys: readonly string[]
    }
  | { readonly kind: 'value-twice'; readonly name: string; readonly value: string }
