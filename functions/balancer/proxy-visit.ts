import type { RouteDeclaration } from './declarations.ts'
import type { PoolLink } from './pool-link.ts'
import type { Services } from './services.ts'

/** A request that is to be proxied. */
export interface ProxyVisit {
  readonly request: Request
  readonly asked: URL
  readonly route: RouteDeclaration
  readonly services: Services
  readonly link: PoolLink
  /** What any origin of the pool is sent. */
  readonly headers: Headers
  /** Whether origins are told who asks. */
  readonly isPersonal: boolean
  readonly later: (work: Promise<unknown>) => void
}
