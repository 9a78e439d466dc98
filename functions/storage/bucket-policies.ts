/**
 * What an app's buckets grant, as SQL over an object's row. Objects' rows lie in `DB`, and so do the tables that conditions may
 * read beside them.
 * @module
 */
import type { Catalog } from '../../db/catalog/catalog.ts'
import { whyNotBeside } from '../../db/catalog/check-placement.ts'
import { createConditionCompiler, queryBuilder } from '../../db/catalog/compile-condition.ts'
import { parameterMark, rowMark } from '../../db/catalog/grants.ts'
import type { PolicyCaller } from '../../db/catalog/policy.ts'
import {
  type ObjectCondition,
  type ObjectGrants,
  objectsTable,
  policyObject,
  type StorageDeclarations,
} from '../../db/catalog/storage-policy.ts'

export type ObjectOperation = keyof ObjectGrants

/** A condition in SQL over `_atoll_objects`. */
export interface ObjectRule {
  readonly text: string
  readonly parameters: readonly (string | number | null)[]
}

/** Which objects a caller may touch; it throws where the app's condition does, or reads what does not lie in `DB`. */
export type ObjectPolicy = (caller: PolicyCaller) => ObjectRule

/** Policies of each declared bucket, by role and operation; what is not there is denied. */
export type BucketPolicies = ReadonlyMap<
  string,
  ReadonlyMap<string, Readonly<Partial<Record<ObjectOperation, ObjectPolicy>>>>
>

export const everyObject: ObjectRule = { text: '1', parameters: [] }
export const noObject: ObjectRule = { text: '0', parameters: [] }

export function createBucketPolicies(declarations: StorageDeclarations, catalog: Catalog): BucketPolicies {
  return new Map(
    Object.entries(declarations).map(([bucket, { access = {} }]) => {
      const policyOf = (grant: true | ObjectCondition) =>
        grant === true ? () => everyObject : conditionPolicy(bucket, grant, catalog)
      const roles = Object.entries(access).map(([role, grants]) => {
        const policies = Object.entries(grants).map(([operation, grant]) => [operation, policyOf(grant)])
        return [role, Object.fromEntries(policies)] as const
      })
      return [bucket, new Map(roles)] as const
    }),
  )
}

const marks = new RegExp(`${parameterMark}\\d*${parameterMark}`, 'g')

function conditionPolicy(bucket: string, condition: ObjectCondition, catalog: Catalog): ObjectPolicy {
  const compile = createConditionCompiler({
    name: `bucket ${bucket}`,
    rowName: objectsTable,
    refusal: (table) => whyNotBeside({ kind: 'local' }, catalog.tables.get(table)?.placement),
  })
  return (caller) => {
    const answer = condition({ caller, object: policyObject, query: queryBuilder })
    if (answer === undefined) return noObject
    if (typeof answer === 'boolean') return answer ? everyObject : noObject
    const { text, parameters } = compile(answer)
    // Parameters come in the order of their marks.
    return {
      text: `(${text.replace(marks, (mark) => (mark === rowMark ? `"${objectsTable}"` : '?'))}) IS TRUE`,
      parameters,
    }
  }
}
