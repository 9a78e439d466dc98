/**
 * What `functions/app/origins.ts` declares: pools of origins, and the routes that lead to them.
 * @module
 */
import type { Setting } from '../core/setting.ts'

/** How a pool chooses; `hash` keeps requests with the same key at the same origin. */
export type StrategyDeclaration =
  | 'round-robin'
  | 'least-request'
  | 'peak-ewma'
  | 'random'
  | {
      /** `path`, or the name of a header or a cookie. Requests without it go by chance. */
      readonly hash: 'path' | { readonly header: string } | { readonly cookie: string }
      /** How many times its part of what is under way an origin may have before keys overflow to the next; null: no bound. Default 1.25. */
      readonly loadBound?: number | null
    }

export interface OriginDeclaration {
  /** `https://host[:port][/path]`; what is behind the path of the route is added to it. */
  readonly url: Setting
  /** Its share beside the others; 0: none. Default 1. */
  readonly weight?: number
  /** 0 is asked first; higher ones when too few of those are well. Default 0. */
  readonly priority?: number
  /** Headers that it is sent, over the caller's: tokens that it asks of us, say. */
  readonly headers?: Readonly<Record<string, Setting>>
}

/** Checks that a Durable Object makes for all isolates. */
export interface HealthCheck {
  readonly path: string
  /** Default 5. */
  readonly intervalSeconds?: number
  /** Default 2000. */
  readonly timeoutMs?: number
  /** Checks that must succeed in a row until it is well again. Default 2. */
  readonly rise?: number
  /** Checks that must fail in a row until it is ill. Default 3. */
  readonly fall?: number
  /** Lowest and highest status that is expected. Default 200 to 299. */
  readonly status?: readonly [lowest: number, highest: number]
  /** What the first 64 KB of the body must contain. */
  readonly body?: string
}

/** When an isolate leaves an origin alone that failed its own requests. */
export interface Ejection {
  /** Requests in a row without an answer: lost connections and timeouts. Default 2. */
  readonly losses?: number
  /** Requests in a row that failed in any way, answers of 500, 502, 503 and 504 as well. Default 5. */
  readonly failures?: number
  /** Share of failures within ten seconds, among ten requests or more. Default 0.5. */
  readonly failureShare?: number
  /** For how long, times how often it has been ejected. Default 10. */
  readonly baseSeconds?: number
  /** Default 300. */
  readonly longestSeconds?: number
  /** At most this share of the pool, but always one. Default 0.5. */
  readonly maxShare?: number
}

export interface Timeouts {
  /** Until a connection must be there, when an origin is silent, in milliseconds. Default 1000. */
  readonly connectMs?: number
  /** Until its answer begins. Default 30,000. */
  readonly firstByteMs?: number
  /** Until its answer has ended; null: no bound. Default 300,000. */
  readonly totalMs?: number | null
}

/** Headers of callers that may be secrets. */
export type Credential = 'authorization' | 'cookie' | 'apikey'

export interface PoolDeclaration {
  /** By name; a text is the URL of an origin with weight 1. */
  readonly origins: Readonly<Record<string, string | OriginDeclaration>>
  /** Default `least-request`. */
  readonly strategy?: StrategyDeclaration
  /** Default null: only what requests show tells who is well. */
  readonly health?: HealthCheck | null
  /** Null: nobody is ejected. */
  readonly ejection?: Ejection | null
  /** When less than this share of the pool is well, everybody is tried. Default 0.5. */
  readonly panicThreshold?: number
  /** How long an origin that is back gets less than its share, in seconds; 0: not at all. Default 10. */
  readonly slowStartSeconds?: number
  readonly timeouts?: Timeouts
  /** Further tries of a request that may be repeated, on other origins. Default 2. */
  readonly retries?: number
  /** Whether reads that take longer than this share of all are asked of a second origin too, 0.99 for the slowest hundredth; null: not. Default null. */
  readonly hedgeQuantile?: number | null
  /** Keeps a caller at one origin by a signed cookie. */
  readonly sticky?: { readonly cookie?: string; readonly ttlSeconds?: number } | null
  /** Requests that an isolate has under way in this pool; more are refused with 503. Default 1000. */
  readonly maxOutstanding?: number
  /** Share of failed requests within ten seconds, among twenty or more, at which the pool is left alone; null: never. Default 0.8. */
  readonly breakerShare?: number | null
  /** Which credentials of callers its origins receive. Default none. */
  readonly receives?: readonly Credential[]
}

/** Headers to set and to take away. */
export interface HeaderChanges {
  readonly set?: Readonly<Record<string, string>>
  readonly remove?: readonly string[]
}

export interface RouteDeclaration {
  /** `/shop` for just this one, `/shop/*` for it and all below. The longest that fits is taken. */
  readonly path: string
  readonly pool: string
  /** Hosts that it is for. Default all. */
  readonly hosts?: readonly string[]
  /** Default all. */
  readonly methods?: readonly string[]
  /** What stands in the place of the route's path at the origin; `''` strips it. Default: the path stays as it is. */
  readonly rewrite?: string
  readonly request?: HeaderChanges
  readonly response?: HeaderChanges
  /** Roles that may call it, by Atoll's keys and tokens; origins are told who in `Atoll-Role` and `Atoll-Subject`. Default: anybody, and nobody is asked. */
  readonly roles?: readonly string[]
  /** Binding of a rate limit in `wrangler.toml`, and what is counted. */
  readonly rateLimit?: { readonly binding: string; readonly by?: 'address' | { readonly header: string } }
  /** Default: as large as the platform takes. */
  readonly maxRequestBytes?: number
  readonly maxResponseBytes?: number
  /** Whether answers are cached by the rules of RFC 9111, up to so many bytes each. Default not. */
  readonly cache?: boolean | { readonly maxBytes: number }
  /** Over the pool's. */
  readonly timeouts?: Timeouts
  /** Whether paths may hold encoded slashes and the like (%2F, %5C). Default false. */
  readonly encodedSlashes?: boolean
}

export interface OriginDeclarations {
  readonly pools: Readonly<Record<string, PoolDeclaration>>
  readonly routes: readonly RouteDeclaration[]
}

/**
 * Servers behind Atoll: nothing is proxied that is not declared here.
 *
 * @example
 * export default defineOrigins({
 *   pools: {
 *     shop: {
 *       origins: { a: 'https://a.shop.example.com', b: { url: 'https://b.shop.example.com', weight: 2 } },
 *       strategy: 'peak-ewma',
 *       health: { path: '/healthz' },
 *       receives: ['cookie'],
 *     },
 *   },
 *   routes: [{ path: '/shop/*', pool: 'shop', rewrite: '' }],
 * })
 */
export function defineOrigins(declarations: OriginDeclarations): OriginDeclarations {
  return declarations
}
