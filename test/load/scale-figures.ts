/** What `npm run load -- curves` has measured, as `scale-figures.json` keeps it. */

/** One point of a curve: the median of its rounds. Processor time per request and latencies in milliseconds. */
export interface Point {
  readonly cpuMs: number
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
}

export interface Figures {
  /** Day. */
  readonly measuredOn: string
  readonly processors: string
  /** A constant answer of a bare Worker on the same Miniflare. */
  readonly reference: Point
  readonly byRows: readonly {
    readonly rows: number
    /** Of the database's file. */
    readonly bytes: number
    readonly byKey: Point
    readonly byIndex: Point
    readonly insert: Point
    /** Null: not worth waiting for. */
    readonly byNoIndex: Point | null
  }[]
  readonly byReturned: readonly { readonly rows: number; readonly uncached: Point; readonly cached: Point }[]
  /** Other tables of the app, with ten policies each that do not apply. */
  readonly byTables: readonly { readonly others: number; readonly byKey: Point }[]
  readonly byUsers: readonly { readonly users: number; readonly uncached: Point; readonly cached: Point }[]
  readonly byBody: readonly { readonly rows: number; readonly bytes: number; readonly insert: Point }[]
  readonly byShards: readonly {
    readonly shards: number
    readonly keyed: Point
    /** The same rows by a statement of one's own, on each database in turn. */
    readonly bare: Point
    readonly everywhere: Point
  }[]
}
