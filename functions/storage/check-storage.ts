import type { StorageDeclarations } from '../../db/storage-policy.ts'
import { policyObject } from '../../db/storage-policy.ts'
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
export function checkStorage(declarations: StorageDeclarations): void {
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
      for (const [operation, grant] of Object.entries(grants)) {
        if (!operations.includes(operation))
          say(`role ${role}: there is no operation ${operation}; use ${operations.join(', ')}`)
        if (typeof grant !== 'function') continue
        try {
          grant({ caller: { role, sub: null, claims: {} }, object: policyObject })
        } catch (error) {
          say(
            `role ${role}, ${operation}: its condition throws for a caller without claims: ${String(error)}`,
          )
        }
      }
    }
  }
  if (problems.length > 0) throw new StorageError(problems)
}
