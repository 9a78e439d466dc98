import type { Catalog } from '../../db/catalog/catalog.ts'
import { failureWithoutClaims } from '../../db/catalog/check-policies.ts'
import type { StorageDeclarations } from '../../db/catalog/storage-policy.ts'
import { createBucketPolicies } from './bucket-policies.ts'
import { isBucketName } from './object-name.ts'

/** What is wrong with an app's buckets; the app is not served. */
export class StorageError extends Error {
  override readonly name = 'StorageError'

  constructor(problems: readonly string[]) {
    super(`These buckets cannot be served:\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
  }
}

const operations = ['select', 'insert', 'update', 'delete']

/**
 * Looks at each bucket, and asks each condition once as somebody without claims.
 *
 * @throws StorageError that lists all that is wrong
 */
export function checkStorage(declarations: StorageDeclarations, catalog: Catalog): void {
  const problems: string[] = []
  for (const [name, { maxBytes, mimeTypes, access }] of Object.entries(declarations)) {
    const say = (problem: string) => problems.push(`bucket ${name}: ${problem}`)
    if (!isBucketName(name))
      say(
        'its name must be letters, digits, points, hyphens and underscores, and none of the words in addresses',
      )
    if (maxBytes !== undefined && !(Number.isInteger(maxBytes) && maxBytes >= 0))
      say('maxBytes is a whole number of at least 0')
    for (const type of mimeTypes ?? []) {
      if (!/^(?:\*|[\w.+-]+)\/(?:\*|[\w.+-]+)$/.test(type)) say(`"${type}" is no content type`)
    }
    for (const [role, grants] of Object.entries(access ?? {})) {
      for (const operation of Object.keys(grants)) {
        if (!operations.includes(operation))
          say(`role ${role}: there is no operation ${operation}; use ${operations.join(', ')}`)
      }
    }
  }
  for (const [name, roles] of createBucketPolicies(declarations, catalog)) {
    for (const [role, policies] of roles) {
      for (const [operation, policy] of Object.entries(policies)) {
        const problem = failureWithoutClaims(role, policy)
        if (problem !== null) problems.push(`bucket ${name}, role ${role}, ${operation}: ${problem}`)
      }
    }
  }
  if (problems.length > 0) throw new StorageError(problems)
}
