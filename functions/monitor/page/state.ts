/** What `/_atoll/api/state` answers. */
export interface State {
  readonly databases: readonly {
    readonly database: string
    readonly bytes: number | null
    readonly slots: readonly { readonly first: number; readonly last: number }[]
  }[]
  readonly epoch: number | null
  readonly jobs: Readonly<Record<string, Readonly<Record<string, number>>>> | null
  /** Milliseconds since 1970. */
  readonly oldestDue: number | null
  readonly pools: readonly PoolState[]
  readonly isMeasured: boolean
  readonly cache: { readonly store: string } | null
  readonly objectives: readonly {
    readonly name: string
    readonly target: number
    readonly requests: number
    readonly bad: number
    readonly burnRate: number
    readonly isBurning: boolean
  }[]
}

export interface PoolState {
  readonly name: string
  readonly strategy: unknown
  readonly isolates: number
  readonly isPanic: boolean
  readonly broken: number
  readonly origins: readonly OriginState[]
}

export interface OriginState {
  readonly name: string
  readonly url: string
  readonly priority: number
  readonly weight: number
  readonly declaredWeight: number
  readonly mode: string
  readonly state: string
  readonly problem: string | null
  readonly outstanding: number
  readonly latencyMs: number | null
  readonly requestsPerSecond: number
  readonly errorsPerSecond: number
  readonly ejectedIn: number
  readonly ejectedFor: readonly string[]
}
