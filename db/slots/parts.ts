import type { Row } from '../sql/statement.ts'

/** Where rows lie. */
export type Site =
  | { readonly kind: 'primary' }
  /** On the shards that own these slots. */
  | { readonly kind: 'slots'; readonly slots: readonly number[] }
  /** On every shard that owns any. */
  | { readonly kind: 'everywhere' }
  /** On one database, where they were found; a question of its own must find them again when anything moved. */
  | { readonly kind: 'found'; readonly database: string }

/** One database's part of a site. */
export interface Part {
  readonly database: string
  /** The site's slots that it owns; null when the site names none. */
  readonly slots: ReadonlySet<number> | null
}

/** What one database answered, or why it did not. */
export type Outcome =
  | { readonly part: Part; readonly results: readonly (readonly Row[])[] }
  | { readonly part: Part; readonly error: unknown }
