import type { Catalog, Table } from '../../db/catalog/catalog.ts'
import type { Grant, RowCondition, RowRule } from '../../db/catalog/grants.ts'
import type { Claim, Operation, PolicyCaller } from '../../db/catalog/policy.ts'
import type { Caller } from '../core/caller.ts'
import { errors } from './errors.ts'
import { seenTable, seenWhole } from './seen-table.ts'

/**
 * Which rows of a table a caller may touch. `name` says by which grant, and finds the values of the condition's
 * parameters when a statement is bound: the plan holds none, so that callers share it.
 */
export type RowPolicy =
  | { readonly kind: 'all' }
  | {
      readonly kind: 'condition'
      readonly name: string
      readonly text: string
      readonly readsOwnTable: boolean
      /** Tables that its subqueries read; null when that cannot be told. */
      readonly reads: readonly string[] | null
    }
  | { readonly kind: 'every'; readonly policies: readonly RowPolicy[] }

/** No row is left out. */
export const allRows: RowPolicy = { kind: 'all' }
/** Every row is left out. */
export const noRows: RowPolicy = { kind: 'condition', name: '', text: '0', readsOwnTable: false, reads: [] }

/** What a grant is asked for: rows before the operation, rows after it, or rows that foreign keys may name. */
type Part = 'where' | 'check' | 'refer'

const noRule: RowRule = {
  kind: 'rule',
  source: 'false',
  decide: () => ({ text: '0', parameters: [], readsOwnTable: false, reads: [] }),
}

/**
 * What one caller may do, for one request. Conditions are asked when they are needed, once each, and it is noted
 * which, and which claims they read.
 */
export class Rights {
  readonly caller: Caller
  readonly catalog: Catalog
  readonly #decided = new Map<string, RowCondition>()
  readonly #claimsRead = new Set<string>()
  /** Made when a condition is asked: most requests ask none. */
  #policyCaller: PolicyCaller | null = null

  constructor(catalog: Catalog, caller: Caller) {
    this.catalog = catalog
    this.caller = caller
  }

  /** Whether the secret key is calling, who may do everything. */
  get unbounded(): boolean {
    return this.caller.role === 'service_role'
  }

  /** Claims that the conditions asked so far have read: answers are the same for callers who agree in them. */
  get claimsRead(): readonly string[] {
    return [...this.#claimsRead].sort()
  }

  /** Whether the caller has the operation at all, on some rows at least. */
  has(table: Table, operation: Operation): boolean {
    return this.unbounded || this.#grant(table, operation) !== null
  }

  /** @throws 42501 unless the caller has the operation */
  require(table: Table, operation: Operation): void {
    if (!this.has(table, operation)) throw errors.denied(table.shownName, this.caller.signedIn)
  }

  /**
   * The rows that the operation finds.
   *
   * @throws 42501 when the caller has not the operation
   */
  rows(table: Table, operation: Operation): RowPolicy {
    this.require(table, operation)
    return this.#policy(table, operation, 'where')
  }

  /** What rows must be like after the operation. */
  check(table: Table, operation: 'insert' | 'update'): RowPolicy {
    this.require(table, operation)
    return this.#policy(table, operation, 'check')
  }

  /** The rows that foreign keys of the caller's rows may name. */
  referable(table: Table): RowPolicy {
    return this.#policy(table, 'select', 'refer')
  }

  /** Names of the columns that the operation may show or set. */
  columns(table: Table, operation: Operation): ReadonlySet<string> {
    if (this.unbounded) return new Set(table.columns.keys())
    return this.#grant(table, operation)?.columns ?? new Set()
  }

  /** The table without what the caller may not know of. */
  seen(table: Table): Table {
    return this.unbounded ? table : seenTable(table, this.caller.role, this.catalog)
  }

  /** The table as the caller sees it in the rows of a function: all of its columns, unless they may select only some. */
  seenInRows(table: Table): Table {
    if (this.unbounded) return table
    return this.has(table, 'select') ? this.seen(table) : seenWhole(table, this.caller.role, this.catalog)
  }

  /** Whether the caller may do anything with the table, and so may know of it. */
  knows(table: Table): boolean {
    return this.unbounded || table.rights.has(this.caller.role)
  }

  /** The names of the conditions asked so far. */
  get asked(): readonly string[] {
    return [...this.#decided.keys()]
  }

  /** Texts of conditions by name: statements are the same for callers for whom these are. */
  texts(names: readonly string[]): string {
    return names.map((name) => this.#decide(name).text).join('\n')
  }

  /** All that was decided for this caller so far: their answers are those of callers for whom this is the same. */
  decisions(): unknown[] {
    return [...this.#decided].map(([name, { text, parameters }]) => [name, text, parameters])
  }

  /** The value of a condition's parameter, for this caller. */
  value(name: string, index: number): string | number | null {
    return this.#decide(name).parameters[index] ?? null
  }

  #grant(table: Table, operation: Operation): Grant | null {
    return table.rights.get(this.caller.role)?.[operation] ?? null
  }

  #policy(table: Table, operation: Operation, part: Part): RowPolicy {
    if (this.unbounded || this.#rule(table, operation, part).kind === 'all') return allRows
    const name = `${operation}\n${part}\n${table.name}`
    const { text, readsOwnTable, reads } = this.#decide(name)
    return { kind: 'condition', name, text, readsOwnTable, reads }
  }

  #rule(table: Table, operation: Operation, part: Part): RowRule {
    if (part === 'refer') return table.rights.get(this.caller.role)?.refer ?? noRule
    return this.#grant(table, operation)?.[part] ?? noRule
  }

  #decide(name: string): RowCondition {
    const known = this.#decided.get(name)
    if (known) return known
    const [operation, part, ...rest] = name.split('\n') as [Operation, Part, ...string[]]
    const table = this.catalog.tables.get(rest.join('\n')) as Table
    const rule = this.#rule(table, operation, part)
    if (rule.kind === 'all') throw new Error(`the grant of ${table.name} has no condition`)
    this.#policyCaller ??= policyCallerOf(this.caller, this.#claimsRead)
    const condition = rule.decide(this.#policyCaller)
    this.#decided.set(name, condition)
    return condition
  }
}

/** The caller as policies see them; what they read of the claims is noted by name. */
export function policyCallerOf(caller: Caller, read = new Set<string>()): PolicyCaller {
  return {
    role: caller.role,
    get sub() {
      read.add('sub')
      return caller.sub
    },
    claims: watched(caller.claims, (name) => read.add(name)),
    values: watched(caller.values ?? {}, (name) => read.add(`values.${name}`)),
  }
}

/** What is said of a caller, which nobody changes; it is told what is read of it. What is not there is null. */
function watched(
  said: Readonly<Record<string, unknown>>,
  read: (name: string) => void,
): Readonly<Record<string, Claim>> {
  const one = (name: string) => {
    read(name)
    return Object.hasOwn(said, name) ? (said[name] ?? null) : null
  }
  return new Proxy(said, {
    get: (_, name) => (typeof name === 'string' ? one(name) : undefined),
    has: (_, name) => typeof name === 'string' && one(name) !== null,
    ownKeys: (all) => {
      for (const name of Object.keys(all)) read(name)
      // Which there are is read as well, and no one's value says that.
      read('*')
      return Reflect.ownKeys(all)
    },
    set: () => false,
    defineProperty: () => false,
    deleteProperty: () => false,
  }) as Readonly<Record<string, Claim>>
}
