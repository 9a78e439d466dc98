import type { OriginDeclarations, PoolDeclaration, RouteDeclaration } from './declarations.ts'
import { defaultEjection } from './outlier.ts'
import { isReserved, prefixOf } from './routes.ts'

/** What is wrong with an app's pools and routes; the app is not served. */
export class OriginsError extends Error {
  override readonly name = 'OriginsError'

  constructor(problems: readonly string[]) {
    super(`These origins cannot be served:\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
  }
}

const nameForm = /^[a-z0-9][a-z0-9-]{0,62}$/
const strategies = ['round-robin', 'least-request', 'peak-ewma', 'random']

/** @throws OriginsError that lists all that is wrong */
export function checkOrigins({ pools, routes }: OriginDeclarations): void {
  const problems = [
    ...Object.entries(pools).flatMap(([name, pool]) =>
      problemsOfPool(name, pool).map((problem) => `pool ${name}: ${problem}`),
    ),
    ...routes.flatMap((route, i) =>
      problemsOfRoute(route, pools, routes.slice(0, i)).map((problem) => `route ${route.path}: ${problem}`),
    ),
  ]
  if (problems.length > 0) throw new OriginsError(problems)
}

function problemsOfPool(name: string, pool: PoolDeclaration): string[] {
  const problems: string[] = []
  const share = (what: string, value: number | null | undefined) => {
    if (value !== undefined && value !== null && !(value >= 0 && value <= 1))
      problems.push(`${what} is a share from 0 to 1`)
  }
  const positive = (what: string, value: number | null | undefined) => {
    if (value !== undefined && value !== null && !(value > 0 && Number.isFinite(value)))
      problems.push(`${what} is a number above 0`)
  }
  if (!nameForm.test(name)) problems.push('its name must be small letters, digits and hyphens')
  const origins = Object.entries(pool.origins)
  if (origins.length === 0) problems.push('it has no origins')
  for (const [origin, declared] of origins) {
    if (!nameForm.test(origin))
      problems.push(`origin ${origin}: its name must be small letters, digits and hyphens`)
    const { url, weight = 1, priority = 0 } = typeof declared === 'string' ? { url: declared } : declared
    if (typeof url === 'string')
      problems.push(...problemsOfUrl(url).map((problem) => `origin ${origin}: ${problem}`))
    if (!(weight >= 0 && Number.isFinite(weight)))
      problems.push(`origin ${origin}: its weight is a number of at least 0`)
    if (!Number.isInteger(priority) || priority < 0)
      problems.push(`origin ${origin}: its priority is a whole number of at least 0`)
  }
  const { strategy, health, ejection, timeouts, sticky } = pool
  if (typeof strategy === 'string' && !strategies.includes(strategy))
    problems.push(`there is no strategy ${strategy}; use ${strategies.join(', ')} or { hash }`)
  if (typeof strategy === 'object' && typeof strategy.loadBound === 'number' && strategy.loadBound <= 1)
    problems.push('loadBound is above 1, or null')
  if (health && !health.path.startsWith('/')) problems.push('the path of its health check begins with /')
  for (const what of ['intervalSeconds', 'timeoutMs', 'rise', 'fall'] as const)
    positive(`health.${what}`, health?.[what])
  for (const what of Object.keys(defaultEjection) as (keyof typeof defaultEjection)[]) {
    if (what.endsWith('hare')) share(`ejection.${what}`, ejection?.[what])
    else positive(`ejection.${what}`, ejection?.[what])
  }
  for (const what of ['connectMs', 'firstByteMs', 'totalMs'] as const)
    positive(`timeouts.${what}`, timeouts?.[what])
  share('panicThreshold', pool.panicThreshold)
  share('hedgeQuantile', pool.hedgeQuantile)
  share('breakerShare', pool.breakerShare)
  positive('maxOutstanding', pool.maxOutstanding)
  if (pool.retries !== undefined && !(Number.isInteger(pool.retries) && pool.retries >= 0))
    problems.push('retries is a whole number of at least 0')
  if (sticky?.cookie !== undefined && !/^[\w-]+$/.test(sticky.cookie))
    problems.push('the name of its cookie is letters, digits, hyphens and underscores')
  return problems
}

function problemsOfUrl(text: string): string[] {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) return [`"${text}" is no address of http or https`]
  if (url.username || url.password) return ['its address holds a password; use headers with { variable }']
  return url.search || url.hash ? ['its address has a query or fragment, which nothing is added to'] : []
}

function problemsOfRoute(
  route: RouteDeclaration,
  pools: OriginDeclarations['pools'],
  earlier: readonly RouteDeclaration[],
): string[] {
  const problems: string[] = []
  const prefix = prefixOf(route)
  if (!route.path.startsWith('/') || /[*?#%\\]|\/\.{1,2}(?:\/|$)|\/\/|.\/$/.test(prefix))
    problems.push('a path begins with /, ends with /* or not, and holds nothing that is encoded')
  if (isReserved(prefix)) problems.push("that path is Atoll's own")
  if (!Object.hasOwn(pools, route.pool)) problems.push(`there is no pool ${route.pool}`)
  if (route.rewrite !== undefined && route.rewrite !== '' && !/^\/[^?#\\]*[^/]$/.test(route.rewrite))
    problems.push("rewrite is '' or a path without a slash at its end")
  for (const host of route.hosts ?? [])
    if (host !== host.toLowerCase() || !/^[a-z0-9.-]+$/.test(host))
      problems.push(`"${host}" is no host in small letters`)
  for (const method of route.methods ?? [])
    if (!/^[A-Z]+$/.test(method)) problems.push(`"${method}" is no method in capitals`)
  for (const what of ['maxRequestBytes', 'maxResponseBytes'] as const) {
    const value = route[what]
    if (value !== undefined && !(Number.isInteger(value) && value > 0))
      problems.push(`${what} is a whole number above 0`)
  }
  const isSame = (other: RouteDeclaration) =>
    other.path === route.path &&
    String(other.hosts) === String(route.hosts) &&
    String(other.methods) === String(route.methods)
  if (earlier.some(isSame)) problems.push('it is declared twice')
  return problems
}
