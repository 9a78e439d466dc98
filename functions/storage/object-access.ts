/**
 * Who may do what with objects: policies of the app's declared buckets, as SQL over an object's row.
 * @module
 */

import type { ClusterSession } from '../../db/cluster/session.ts'
import type { BoundStatement } from '../../db/sql/statement.ts'
import { policyCallerOf } from '../access/area.ts'
import { type Caller, identityOf, subjectOf } from '../core/caller.ts'
import {
  type BucketPolicies,
  everyObject,
  noObject,
  type ObjectOperation,
  type ObjectRule,
} from './bucket-policies.ts'
import { errors } from './errors.ts'
import type { SignedCaller } from './signed-address.ts'

/** What a condition is asked about an object that is not there yet. */
export interface Candidate {
  readonly bucket: string
  readonly name: string
  readonly mime: string
  readonly owner: string | null
}

/** What one caller may do with objects. */
export class ObjectRights {
  readonly #caller: Caller
  readonly #policies: BucketPolicies

  constructor(policies: BucketPolicies, caller: Caller) {
    this.#policies = policies
    this.#caller = caller
  }

  /** Who is calling, for those who come with an address that they have signed. */
  get signed(): SignedCaller {
    return { role: this.#caller.role, claims: this.#caller.claims }
  }

  /** Whether the secret key is calling. */
  get unbounded(): boolean {
    return this.#caller.role === 'service_role'
  }

  /** The `sub` of the caller's token, which owns what it writes. */
  get owner(): string | null {
    return identityOf(this.#caller) === null ? null : this.#caller.sub
  }

  /** Which objects of a bucket an operation may touch. */
  rule(bucket: string, operation: ObjectOperation): ObjectRule {
    if (this.unbounded) return everyObject
    const policy = this.#policies.get(bucket)?.get(this.#caller.role)?.[operation]
    return policy ? policy(policyCallerOf(this.#caller)) : noObject
  }

  /** The error for what is denied: those who have not signed in are asked to. */
  denied(): Error {
    return errors.storageDenied(this.#caller.signedIn)
  }

  /**
   * Asks whether an object may be as it is going to be.
   *
   * @throws AtollError when it may not
   */
  async check(session: ClusterSession, operation: 'insert' | 'update', candidate: Candidate): Promise<void> {
    const rule = this.rule(candidate.bucket, operation)
    if (rule.text === '1') return
    const [rows = []] = rule.text === '0' ? [] : await session.primary([askOf(rule, candidate)])
    if (rows[0]?.allowed !== 1) throw this.denied()
  }
}

/** The rights of who signed an address. */
export function rightsOfSigned(policies: BucketPolicies, { role, claims }: SignedCaller): ObjectRights {
  return new ObjectRights(policies, { role, sub: subjectOf(claims), claims, signedIn: true, key: 'token' })
}

function askOf({ text, parameters }: ObjectRule, { bucket, name, mime, owner }: Candidate): BoundStatement {
  return {
    text: `SELECT (${text}) <> 0 AS allowed FROM (SELECT ? AS bucket, ? AS name, ? AS mime, ? AS owner) AS _atoll_objects`,
    // The condition comes first in the text.
    parameters: [...parameters, bucket, name, mime, owner],
  }
}
