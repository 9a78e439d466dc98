import type { Table } from './catalog.ts'
import type { TableDeclaration } from './declarations.ts'
import type { Draft } from './draft.ts'

const defaultTtlSeconds = 300

/** What a table's line in `tables.ts` says of the cache. What a view is made from is not known, so it is not kept. */
export function readCache({ kind, options }: TableDeclaration): Table['cache'] {
  if (kind === 'view' || options.cache === false) return null
  const { ttlSeconds = defaultTtlSeconds, maxStaleMs = 0, leaseMs = 0 } = options.cache ?? {}
  return { ttlMs: ttlSeconds * 1000, maxStaleMs, leaseMs }
}

export function checkCache({ name, declaration: { options } }: Draft, problems: string[]): void {
  for (const [option, value] of Object.entries(options.cache || {})) {
    if (typeof value === 'number' && Number.isFinite(value) && value >= 0) continue
    problems.push(`table ${name}, cache: ${option} is a number of at least 0, not ${String(value)}`)
  }
}
