import type { Hono } from 'hono'
import type { Duty } from './duty.ts'
import type { GaugeSource } from './gauge.ts'

/**
 * A room of the Worker, as its front file `area.ts` shows it. All but the name may be left out. What a method is given, an area says by
 * the types of its parameters: `functions/areas.ts` checks that areas below it, or the app, offer that.
 */
export interface Area {
  readonly name: string
  /** Its part of the configuration. */
  readonly defaults?: object
  /** The errors that it raises, each made by a function. */
  readonly errors?: object
  /** What it makes of the app, once in an isolate: it becomes part of the engine. @throws for an app that cannot be served */
  read?(app: never, engine: never): object
  /** Roles that the app names in what the area reads of it, beside those of tables. */
  roles?(app: never): Iterable<string>
  /** Names in SQL of tables whose changes it tells on: relays are woken when they are written. @throws for tables that are not served */
  follows?(app: never, engine: never): Iterable<string>
  /** Jobs of its own. */
  jobs?(config: never, app: never): readonly object[]
  /** What it offers to areas above it, made once for an environment. */
  open?(env: never, engine: never, services: never): object
  /** Headers of its answers that browsers may read across origins, beside those of every area. */
  readonly exposes?: readonly string[]
  /** How its clients read errors of what stands before it; left out: as those of the data API. */
  tellsErrors?(error: unknown, request: Request): Response
  /**
   * Whether browsers that follow a link reach it without a key, also where callers without one are refused otherwise: it asks by itself for what it
   * does not do for anybody.
   */
  readonly isOpen?: boolean
  /** Paths that it answers. */
  routes?(engine: never, app: never, gateway: GatewayParts): readonly Mount[]
  /** What it shows at `/metrics`. */
  readonly gauges?: readonly GaugeSource<never, never>[]
  /** What relays look after for it; made for each relay, which may keep something between rounds. */
  duties?(): readonly Duty<never, never>[]
}

/** A path, and what answers there; its first segment is no other area's. */
export type Mount = readonly [path: `/${string}`, routes: AnyHono]

// biome-ignore lint/suspicious/noExplicitAny: areas have handlers of different types
type AnyHono = Hono<any>

/** What routes may need of all areas together. */
export interface GatewayParts {
  /** Sends a request through all that stands before areas, again. */
  readonly ask: (request: Request, env: never, context: ExecutionContext) => Response | Promise<Response>
  /** The gauges of all areas. */
  readonly gauges: readonly GaugeSource<never, never>[]
}
