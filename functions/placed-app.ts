/**
 * The app as its rows lie. Tables that are declared to lie elsewhere than databases note are served where their rows are, until they are
 * converted (`db/conversions/README.md`); then this isolate follows, and what it was refused in between is asked again.
 * @module
 */
import { SchemaError } from '../db/catalog/build-catalog.ts'
import {
  askNoted,
  changingPlacement,
  type NotedPlacements,
  pendingPlacements,
} from '../db/catalog/noted-placements.ts'
import { within } from '../db/cluster/database.ts'
import { pause } from '../db/cluster/pause.ts'
import { type App, type Env, engineOf } from './areas.ts'
import { databasesOf } from './core/context.ts'

/** What a look at the databases has found. */
type Found = 'as known' | 'otherwise' | 'changing'

/** How long a request waits for tables that are being converted, and between two looks, in milliseconds. */
const [maxWaitMs, pauseMs] = [3000, 50]
/** How long one look may take, in milliseconds. */
const longestLookMs = 2000
/** Largest body that is kept to be sent again, in bytes. */
const maxSpareBytes = 1_000_000

interface State {
  /** The app, or the app with tables placed as was noted. */
  app: App
  noted: string
  /** Whether the app is what databases have, so that it need not be asked for any more. */
  isSure: boolean
}

export type AskWith = (app: App, request: Request) => Promise<Response>

/** Made once for an app. */
export class PlacedApps {
  readonly #app: App
  readonly #states = new WeakMap<object, State>()

  constructor(app: App) {
    this.#app = app
  }

  /** The app as far as it is known how rows lie. */
  current(env: Env): App {
    return this.#stateOf(env).app
  }

  /** The app for work that cannot be begun again; null while tables are being converted. */
  async settled(env: Env): Promise<App | null> {
    const state = this.#stateOf(env)
    if (!state.isSure && (await this.#look(env, state)) === 'changing') return null
    return state.app
  }

  /** Answers a request with the app as rows lie, and once more where they have come to lie otherwise meanwhile. */
  async answer(request: Request, env: Env, ask: AskWith): Promise<Response> {
    const state = this.#stateOf(env)
    const spare = state.isSure ? null : spareOf(request)
    const end = Date.now() + maxWaitMs
    for (let next = request; ; ) {
      const used = state.app
      const response = await ask(used, next)
      if (response.status !== 503) {
        if (used === this.#app && response.status < 400) state.isSure = true
        return response
      }
      // What is as declared does not change but by another version of the code.
      if (spare === null && state.isSure && used === state.app) return response
      const found = await this.#look(env, state)
      const isOther = found === 'changing' || state.app !== used
      if (!isOther || spare === null || Date.now() >= end) return response
      await response.body?.cancel()
      if (found === 'changing') await pause(pauseMs)
      next = spare.clone()
    }
  }

  #stateOf(env: Env): State {
    const known = this.#states.get(env)
    if (known) return known
    const state: State = { app: this.#app, noted: '', isSure: false }
    this.#states.set(env, state)
    return state
  }

  /** Looks at what the primary database notes: each for itself, as one that was begun before a refusal does not explain it. */
  async #look(env: Env, state: State): Promise<Found> {
    const noted = await readFrom(env)
    // Whoever cannot be asked now says nothing new.
    if (noted === null) return 'as known'
    const pending = pendingPlacements(engineOf(this.#app).catalog, noted)
    if (pending.some(({ from }) => from === changingPlacement)) return 'changing'
    const placed = new Map(pending.map(({ table }) => [table, noted.get(table) as never]))
    const text = placed.size === 0 ? '' : JSON.stringify([...placed])
    const isSure = placed.size === 0
    if (text === state.noted) {
      state.isSure = isSure
      return 'as known'
    }
    const app = isSure ? this.#app : placedOr(this.#app, placed)
    Object.assign(state, { app, noted: text, isSure })
    return 'otherwise'
  }
}

/** Of what cannot be served where its rows are, databases say so by themselves. */
function placedOr(app: App, placed: NotedPlacements): App {
  const other = { ...app, placed }
  try {
    engineOf(other)
    return other
  } catch (error) {
    if (error instanceof SchemaError) return app
    throw error
  }
}

async function readFrom(env: Env): Promise<NotedPlacements | null> {
  try {
    const primary = databasesOf(env).get('DB') as D1Database
    return await within(longestLookMs, askNoted(primary.withSession('first-primary')), 'DB')
  } catch {
    return null
  }
}

/** A copy of a request that may be made twice; null when it may not: what code of the app has done by then would be done again. */
function spareOf(request: Request): Request | null {
  if (request.body === null) return isRepeatable(request) ? request.clone() : null
  const length = Number(request.headers.get('content-length') ?? Number.NaN)
  return isRepeatable(request) && length <= maxSpareBytes ? request.clone() : null
}

/** Areas that do with a request what it says, and nothing of the app's own. */
const ownAreas = /^[^/]*\/\/[^/]*\/(?:rest\/v1\/(?!rpc\/)|(?:storage|jobs|shards|backups)\/v1(?:\/|$))/

function isRepeatable({ method, url }: Request): boolean {
  return method === 'GET' || method === 'HEAD' || ownAreas.test(url)
}
