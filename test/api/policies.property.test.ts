import { and, eq, exists, gt, inArray, isNull, not, or, type SQL, sql } from 'drizzle-orm'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { defineTables, local, type PolicyContext } from '../../db/define.ts'
import { gatewayOver, patients, prepareClinic, tokenFor, visits, wards } from '../support/clinic.ts'
import { rows } from '../support/worker-client.ts'

/** Rows as the oracle sees them. */
interface Patient {
  readonly id: number
  readonly owner: string
  readonly ward_id: number | null
  readonly name: string
  readonly weight: number | null
}
interface Visit {
  readonly id: number
  readonly patient_id: number
  readonly reason: string
  readonly cost: number
}

/** A policy as data, which becomes SQL in the one way and is worked out in JavaScript in the other. */
type Policy =
  | { readonly is: 'all' | 'none' }
  | { readonly is: 'eq' | 'gt'; readonly column: string; readonly value: number | string }
  | { readonly is: 'claim'; readonly column: string; readonly claim: string }
  | { readonly is: 'claims'; readonly column: string; readonly claim: string }
  | { readonly is: 'null'; readonly column: string }
  | { readonly is: 'not'; readonly of: Policy }
  | { readonly is: 'and' | 'or'; readonly of: readonly Policy[] }
  /** The parent (of a visit), or some visit (of a patient), costs or weighs more. */
  | { readonly is: 'related'; readonly more: number }

interface World {
  readonly patients: readonly Patient[]
  readonly visits: readonly Visit[]
}
type Row = Readonly<Record<string, number | string | null>>
type Claims = Readonly<Record<string, unknown>>

const keys: Readonly<Record<string, string>> = { ward_id: 'wardId', patient_id: 'patientId' }

// biome-ignore lint/suspicious/noExplicitAny: columns of two tables, by name
function toSql(policy: Policy, context: PolicyContext<any>, table: 'patients' | 'visits'): SQL | boolean {
  const { row, caller, query } = context
  const column = (name: string) => row[keys[name] ?? name]
  const inner = (of: Policy) => {
    const made = toSql(of, context, table)
    return typeof made === 'boolean' ? sql`${made ? 1 : 0}` : made
  }
  switch (policy.is) {
    case 'all':
      return true
    case 'none':
      return false
    case 'eq':
      return eq(column(policy.column), policy.value)
    case 'gt':
      return gt(column(policy.column), policy.value)
    case 'claim':
      return eq(column(policy.column), caller.claims[policy.claim])
    case 'claims':
      return inArray(column(policy.column), caller.claims[policy.claim] ?? [])
    case 'null':
      return isNull(column(policy.column))
    case 'not':
      return not(inner(policy.of))
    case 'and':
      return and(...policy.of.map(inner)) as SQL
    case 'or':
      return or(...policy.of.map(inner)) as SQL
    case 'related':
      return table === 'visits'
        ? exists(
            query
              .select({ one: sql`1` })
              .from(patients)
              .where(and(eq(patients.id, row.patientId), gt(patients.weight, policy.more))),
          )
        : exists(
            query
              .select({ one: sql`1` })
              .from(visits)
              .where(and(eq(visits.patientId, row.id), gt(visits.cost, policy.more))),
          )
  }
}

/** Three values, as in SQL: null is unknown. */
function holds(
  policy: Policy,
  row: Row,
  claims: Claims,
  table: 'patients' | 'visits',
  world: World,
): boolean | null {
  const value = (column: string) => row[column] ?? null
  const inner = (of: Policy) => holds(of, row, claims, table, world)
  switch (policy.is) {
    case 'all':
      return true
    case 'none':
      return false
    case 'eq':
      return value(policy.column) === null ? null : value(policy.column) === policy.value
    case 'gt':
      return value(policy.column) === null
        ? null
        : (value(policy.column) as number) > (policy.value as number)
    case 'claim': {
      const claim = claims[policy.claim] ?? null
      return claim === null || value(policy.column) === null ? null : value(policy.column) === claim
    }
    case 'claims': {
      const list = (claims[policy.claim] ?? []) as unknown[]
      if (list.length === 0) return false
      return value(policy.column) === null ? null : list.includes(value(policy.column))
    }
    case 'null':
      return value(policy.column) === null
    case 'not': {
      const of = inner(policy.of)
      return of === null ? null : !of
    }
    case 'and': {
      const all = policy.of.map(inner)
      return all.includes(false) ? false : all.includes(null) ? null : true
    }
    case 'or': {
      const all = policy.of.map(inner)
      return all.includes(true) ? true : all.includes(null) ? null : false
    }
    case 'related':
      return table === 'visits'
        ? world.patients.some((p) => p.id === row.patient_id && p.weight !== null && p.weight > policy.more)
        : world.visits.some((v) => v.patient_id === row.id && v.cost > policy.more)
  }
}

const seen = (policy: Policy, row: unknown, claims: Claims, table: 'patients' | 'visits', world: World) =>
  holds(policy, row as Row, claims, table, world) === true

// --- what is generated ---------------------------------------------------------------------------------------------

const patientColumn = fc.constantFrom('id', 'ward_id', 'weight')
const visitColumn = fc.constantFrom('id', 'patient_id', 'cost')
const small = fc.integer({ min: 0, max: 9 })

function policyOver(column: fc.Arbitrary<string>): fc.Arbitrary<Policy> {
  return fc.letrec<{ policy: Policy }>((tie) => ({
    policy: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.record({ is: fc.constantFrom('all' as const, 'none' as const) }),
      fc.record({ is: fc.constantFrom('eq' as const, 'gt' as const), column, value: small }),
      fc.record({ is: fc.constant('claim' as const), column, claim: fc.constantFrom('a', 'b', 'missing') }),
      fc.record({ is: fc.constant('claims' as const), column, claim: fc.constantFrom('list', 'missing') }),
      fc.record({ is: fc.constant('null' as const), column }),
      fc.record({ is: fc.constant('related' as const), more: small }),
      fc.record({ is: fc.constant('not' as const), of: tie('policy') }),
      fc.record({
        is: fc.constantFrom('and' as const, 'or' as const),
        of: fc.array(tie('policy'), { minLength: 1, maxLength: 3 }),
      }),
    ),
  })).policy
}

const worlds: fc.Arbitrary<World> = fc
  .array(fc.record({ ward_id: fc.option(fc.constantFrom(1, 2, 3)), weight: fc.option(small) }), {
    minLength: 3,
    maxLength: 8,
  })
  .chain((given) =>
    fc.record({
      patients: fc.constant(
        given.map((patient, i) => ({ id: i + 1, owner: 'x', name: `p${i + 1}`, ...patient })),
      ),
      visits: fc
        .array(fc.record({ patient_id: fc.integer({ min: 1, max: given.length }), cost: small }), {
          maxLength: 12,
        })
        .map((list) => list.map((visit, i) => ({ id: i + 1, reason: 'r', ...visit }))),
    }),
  )

const claimSets: fc.Arbitrary<Claims> = fc.record(
  { a: small, b: small, list: fc.array(small, { maxLength: 4 }) },
  { requiredKeys: [] },
)

const filters = fc.option(
  fc.record({ column: patientColumn, operator: fc.constantFrom('eq', 'gt', 'lt'), value: small }),
)

interface Filter {
  readonly column: string
  readonly operator: string
  readonly value: number
}

function passes(filter: Filter | null, row: Row): boolean {
  if (filter === null) return true
  const value = row[filter.column] as number | null
  if (value === null) return false
  return filter.operator === 'eq'
    ? value === filter.value
    : filter.operator === 'gt'
      ? value > filter.value
      : value < filter.value
}

const query = (filter: Filter | null) =>
  filter === null ? '' : `&${filter.column}=${filter.operator}.${filter.value}`

// --- the Worker under test -----------------------------------------------------------------------------------------

/** The policies of the run at hand: conditions are asked at each request, so they may be others each time. */
let current: { patients: Policy; visits: Policy; check: Policy } = {
  patients: { is: 'none' },
  visits: { is: 'none' },
  check: { is: 'none' },
}

const ask = gatewayOver(
  defineTables({
    wards: local(wards),
    patients: local(patients, {
      access: {
        tester: {
          select: (context) => toSql(current.patients, context, 'patients'),
          update: {
            where: (context) => toSql(current.patients, context, 'patients'),
            check: (context) => toSql(current.check, context, 'patients'),
          },
          delete: (context) => toSql(current.patients, context, 'patients'),
        },
      },
    }),
    visits: local(visits, {
      access: { tester: { select: (context) => toSql(current.visits, context, 'visits') } },
    }),
  }),
)

async function put(world: World): Promise<void> {
  const statements = [
    'UPDATE patients SET referred_by = NULL',
    'DELETE FROM ledger',
    'DELETE FROM patient_doctors',
    'DELETE FROM visits',
    'DELETE FROM patients',
    'DELETE FROM wards',
    "INSERT INTO wards VALUES (1, 'a'), (2, 'b'), (3, 'c')",
    ...world.patients.map(
      ({ id, ward_id, name, weight }) =>
        `INSERT INTO patients (id, owner, ward_id, name, weight) VALUES (${id}, 'x', ${ward_id}, '${name}', ${weight})`,
    ),
    ...world.visits.map(
      ({ id, patient_id, cost }) => `INSERT INTO visits VALUES (${id}, ${patient_id}, 'r', ${cost})`,
    ),
  ]
  for (const statement of statements) await rows(statement)
}

beforeAll(() => prepareClinic())

describe('random policies and requests', () => {
  it('show what filtering the rows in JavaScript shows', async () => {
    await fc.assert(
      fc.asyncProperty(
        worlds,
        policyOver(patientColumn),
        policyOver(visitColumn),
        claimSets,
        filters,
        fc.boolean(),
        async (world, patientPolicy, visitPolicy, claims, filter, inner) => {
          await put(world)
          current = { patients: patientPolicy, visits: visitPolicy, check: { is: 'all' } }
          const token = await tokenFor({ role: 'tester', ...claims })
          const expected = world.patients
            .filter((row) => seen(patientPolicy, row, claims, 'patients', world))
            .filter((row) => passes(filter, row as unknown as Row))
            .map(({ id }) => ({
              id,
              visits: world.visits
                .filter(
                  (visit) => visit.patient_id === id && seen(visitPolicy, visit, claims, 'visits', world),
                )
                .map((visit) => ({ id: visit.id })),
            }))
            .filter((row) => !inner || row.visits.length > 0)
          const path = `/rest/v1/patients?select=id,visits${inner ? '!inner' : ''}(id)&order=id&visits.order=id${query(filter)}`
          const response = await ask(path, { headers: { Prefer: 'count=exact' } }, token)
          expect(await response.json()).toEqual(expected)
          expect(response.headers.get('content-range')?.split('/')[1]).toBe(String(expected.length))
          const sums = await ask(`/rest/v1/visits?select=cost.sum(),count()`, {}, token)
          const counted = world.visits.filter((visit) => seen(visitPolicy, visit, claims, 'visits', world))
          expect(await sums.json()).toEqual([
            {
              sum: counted.length === 0 ? null : counted.reduce((sum, { cost }) => sum + cost, 0),
              count: counted.length,
            },
          ])
        },
      ),
      { numRuns: 120, seed: 20261122 },
    )
  })

  it('change what filtering the rows in JavaScript allows, or nothing', async () => {
    await fc.assert(
      fc.asyncProperty(
        worlds,
        policyOver(patientColumn),
        policyOver(patientColumn),
        claimSets,
        filters,
        small,
        async (world, policy, check, claims, filter, weight) => {
          await put(world)
          current = { patients: policy, visits: { is: 'none' }, check }
          const token = await tokenFor({ role: 'tester', ...claims })
          const found = world.patients.filter(
            (row) => seen(policy, row, claims, 'patients', world) && passes(filter, row as unknown as Row),
          )
          const written = found.map((row) => ({ ...row, weight }))
          const allowed = written.every((row) => seen(check, row, claims, 'patients', world))
          const response = await ask(
            `/rest/v1/patients?select=id&id=gte.0${query(filter)}`,
            {
              method: 'PATCH',
              headers: { 'Content-Type': 'application/json', Prefer: 'count=exact' },
              body: JSON.stringify({ weight }),
            },
            token,
          )
          expect(response.status).toBe(allowed ? 204 : 403)
          if (allowed)
            expect(response.headers.get('content-range')?.split('/')[1]).toBe(String(written.length))
          const after = allowed
            ? world.patients.map((row) => written.find(({ id }) => id === row.id) ?? row)
            : world.patients
          expect(await rows('SELECT id, ward_id, weight FROM patients ORDER BY id')).toEqual(
            after.map((row) => ({ id: row.id, ward_id: row.ward_id, weight: row.weight })),
          )
        },
      ),
      { numRuns: 100, seed: 20261122 },
    )
  })
})
