/** A value as it is now, for `/metrics`. */
export interface Gauge {
  /** Without the prefix `atoll_`. */
  readonly name: string
  readonly help: string
  readonly unit?: 'bytes' | 'seconds'
  readonly values: readonly { readonly labels: Labels; readonly value: number }[]
}

/** Few values each, whatever is asked. */
export type Labels = Readonly<Record<string, string | number>>

/** Gauges that are read together. */
export interface GaugeSource<Services, Engine> {
  /** What it is about, for the event of one that could not be read. */
  readonly what: string
  read(services: Services, engine: Engine): Promise<readonly Gauge[]>
}
