import type { ForeignKey, Table } from './catalog.ts'
import type { ColumnSources, TableDeclaration } from './declarations.ts'

/** A table half read: everything but its relations. */
export interface Draft
  extends Omit<
    Table,
    | 'relations'
    | 'placement'
    | 'rights'
    | 'keysElsewhere'
    | 'uniqueAcrossShards'
    | 'ids'
    | 'cache'
    | 'logValues'
    | 'comment'
    | 'declared'
    | 'shownName'
    | 'schemas'
  > {
  readonly declaration: TableDeclaration
  readonly foreignKeys: readonly ForeignKey[]
  /** Groups of columns that an index begins with, in the index's order. */
  readonly indexes: readonly (readonly string[])[]
  /** Views: where columns come from. */
  readonly sources: ColumnSources
}
