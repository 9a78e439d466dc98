/**
 * How routes of the stand-in are written: a file for each group of them, listed in `server.ts`.
 * @module
 */

export interface ApiRequest {
  readonly method: string
  /** Below `/client/v4`, without the query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
  /** Address of the server, without a slash at its end. */
  readonly url: string
}

/** What is answered: a `result` in Cloudflare's envelope, or a body as it is. */
export interface ApiAnswer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly result?: unknown
  readonly resultInfo?: unknown
  readonly raw?: string | Buffer
}

export interface Route {
  readonly method: string
  /** Segments with a colon before them are parameters: `/accounts/:account/d1/database`. */
  readonly path: string
  /** Whether it is asked without credentials, as signed addresses are. */
  readonly isOpen?: boolean
  handle(request: ApiRequest, parameters: Readonly<Record<string, string>>): ApiAnswer | Promise<ApiAnswer>
}

/** A refusal in Cloudflare's envelope. */
export class Refusal extends Error {
  readonly status: number
  readonly code: number

  constructor(status: number, code: number, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

export function findRoute(
  routes: readonly Route[],
  method: string,
  path: string,
): { readonly route: Route; readonly parameters: Record<string, string> } | null {
  const segments = path.split('/')
  for (const route of routes) {
    const wanted = route.path.split('/')
    if (route.method !== method || wanted.length !== segments.length) continue
    const parameters: Record<string, string> = {}
    const fits = wanted.every((part, i) => {
      const segment = decodeURIComponent(segments[i] as string)
      if (part.startsWith(':')) parameters[part.slice(1)] = segment
      return part.startsWith(':') ? segment !== '' : part === segment
    })
    if (fits) return { route, parameters }
  }
  return null
}

export function jsonOf<Body>(request: ApiRequest): Body {
  try {
    return JSON.parse(request.body.toString('utf8')) as Body
  } catch {
    throw new Refusal(400, 7400, 'The request is malformed: the body is no JSON')
  }
}

/** One page of a list, as `page` and `per_page` ask for it. */
export function pageOf<Item>(items: readonly Item[], query: URLSearchParams, longest: number): ApiAnswer {
  const page = Number(query.get('page') ?? 1)
  const perPage = Math.min(Number(query.get('per_page') ?? longest), longest)
  const result = items.slice((page - 1) * perPage, page * perPage)
  return {
    result,
    resultInfo: {
      page,
      per_page: perPage,
      count: result.length,
      total_count: items.length,
      total_pages: Math.ceil(items.length / perPage),
    },
  }
}
