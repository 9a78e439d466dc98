/**
 * A clinic whose rows and columns are guarded in every way that there is, for attacks: who must not see something
 * must not be able to tell whether it is there.
 */
import { env } from 'cloudflare:workers'
import { and, eq, exists, inArray, lt, or, sql } from 'drizzle-orm'
import {
  type AnySQLiteColumn,
  alias,
  index,
  integer,
  primaryKey,
  sqliteTable,
  sqliteView,
  text,
} from 'drizzle-orm/sqlite-core'
import { SignJWT } from 'jose'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { type Condition, defineTables, local, type TableDeclarations, view } from '../../db/define.ts'
import { reconcileSearch } from '../../db/system/search-objects.ts'
import type { AtollConfig } from '../../functions/areas.ts'
import type { FunctionManifest } from '../../functions/define.ts'
import { createGateway } from '../../functions/gateway.ts'
import { fetchFrom } from './later-work.ts'

export const wards = sqliteTable('wards', { id: integer('id').primaryKey(), name: text('name').notNull() })

export const patients = sqliteTable(
  'patients',
  {
    id: integer('id').primaryKey(),
    owner: text('owner').notNull(),
    wardId: integer('ward_id').references(() => wards.id),
    name: text('name').notNull(),
    code: text('code').unique(),
    weight: integer('weight'),
    data: text('data', { mode: 'json' }),
    diagnosis: text('diagnosis').default('none'),
    referredBy: integer('referred_by').references((): AnySQLiteColumn => patients.id),
  },
  (table) => [index('patients_ward').on(table.wardId), index('patients_referred').on(table.referredBy)],
)

export const visits = sqliteTable(
  'visits',
  {
    id: integer('id').primaryKey(),
    patientId: integer('patient_id')
      .notNull()
      .references(() => patients.id),
    reason: text('reason').notNull(),
    cost: integer('cost').notNull(),
  },
  (table) => [index('visits_patient').on(table.patientId)],
)

export const doctors = sqliteTable('doctors', {
  id: integer('id').primaryKey(),
  name: text('name').notNull(),
})

export const patientDoctors = sqliteTable(
  'patient_doctors',
  {
    patientId: integer('patient_id')
      .notNull()
      .references(() => patients.id),
    doctorId: integer('doctor_id')
      .notNull()
      .references(() => doctors.id),
    since: text('since').notNull(),
  },
  (table) => [primaryKey({ columns: [table.patientId, table.doctorId] })],
)

/** What nobody but the secret key may know of. */
export const ledger = sqliteTable(
  'ledger',
  {
    id: integer('id').primaryKey(),
    patientId: integer('patient_id').references(() => patients.id),
    sum: integer('sum'),
  },
  (table) => [index('ledger_patient').on(table.patientId)],
)

export const patientCards = sqliteView('patient_cards', {
  id: integer('id'),
  owner: text('owner'),
  name: text('name'),
  wardId: integer('ward_id'),
}).as(sql`SELECT id, owner, name, ward_id FROM patients`)

const shown = ['id', 'owner', 'wardId', 'name', 'code', 'weight', 'data', 'initial'] as const

const itself = alias(patients, 'itself')
const ownByDetour: Condition<typeof patients> = ({ caller, row, query }) =>
  exists(
    query
      .select({ one: sql`1` })
      .from(itself)
      .where(and(eq(itself.id, row.id), eq(itself.owner, caller.sub))),
  )

/** Patients are their owner's; so is all that belongs to them. Diagnoses are nobody's. */
export const clinicTables = defineTables({
  wards: local(wards, {
    access: {
      authenticated: { select: ({ caller, row }) => inArray(row.id, caller.claims.wards ?? []) },
      clerk: { select: true },
    },
  }),
  patients: local(patients, {
    searchable: ['name', 'diagnosis'],
    computed: {
      initial: { type: 'text', sql: sql`substr(${patients.name}, 1, 1)` },
      summary: { type: 'text', sql: sql`${patients.name} || ': ' || ${patients.diagnosis}` },
    },
    access: {
      authenticated: {
        select: { where: ({ caller, row }) => eq(row.owner, caller.sub), columns: shown },
        insert: {
          check: ({ caller, row }) => eq(row.owner, caller.sub),
          columns: ['id', 'owner', 'wardId', 'name', 'code', 'weight', 'data'],
        },
        update: {
          where: ({ caller, row }) => and(eq(row.owner, caller.sub), lt(row.weight, 200)),
          check: ({ caller, row }) => and(eq(row.owner, caller.sub), lt(row.weight, 300)),
          columns: ['wardId', 'name', 'code', 'weight', 'owner'],
        },
        delete: ({ caller, row }) => eq(row.owner, caller.sub),
      },
      // May add, and see nothing.
      intake: { insert: { columns: ['owner', 'name', 'wardId'] } },
      // Sees what `authenticated` sees, by a subquery that SQLite puts off until the cheap conditions are checked.
      nurse: {
        select: { where: ownByDetour, columns: shown },
        update: { where: ownByDetour, columns: ['name'] },
      },
      // Sees whoever was referred by a patient of theirs: the row's own table in a subquery.
      chief: {
        select: ({ caller, row, query }) =>
          or(
            eq(row.owner, caller.sub),
            exists(
              query
                .select({ one: sql`1` })
                .from(patients)
                .where(and(eq(patients.id, row.referredBy), eq(patients.owner, caller.sub))),
            ),
          ),
        update: ({ caller, row, query }) =>
          exists(
            query
              .select({ one: sql`1` })
              .from(patients)
              .where(and(eq(patients.id, row.referredBy), eq(patients.owner, caller.sub))),
          ),
      },
    },
  }),
  visits: local(visits, {
    access: {
      authenticated: {
        select: ({ caller, row, query }) =>
          exists(
            query
              .select({ one: sql`1` })
              .from(patients)
              .where(and(eq(patients.id, row.patientId), eq(patients.owner, caller.sub))),
          ),
        insert: true,
      },
      clerk: { insert: true, select: true },
    },
  }),
  doctors: local(doctors, { access: { authenticated: { select: true } } }),
  patientDoctors: local(patientDoctors, {
    access: {
      authenticated: {
        select: {
          where: ({ caller, row, query }) =>
            inArray(
              row.patientId,
              query.select({ id: patients.id }).from(patients).where(eq(patients.owner, caller.sub)),
            ),
          columns: ['patientId', 'doctorId'],
        },
      },
    },
  }),
  ledger: local(ledger),
  patientCards: view(patientCards, {
    access: { authenticated: { select: ({ caller, row }) => eq(row.owner, caller.sub) } },
    sources: { id: ['patients', 'id'], ward_id: ['patients', 'ward_id'], name: ['patients', 'name'] },
  }),
})

const createStatements = [
  'CREATE TABLE IF NOT EXISTS wards (id INTEGER PRIMARY KEY, name TEXT NOT NULL)',
  `CREATE TABLE IF NOT EXISTS patients (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, ward_id INTEGER REFERENCES wards (id),
   name TEXT NOT NULL, code TEXT UNIQUE, weight INTEGER, data TEXT, diagnosis TEXT DEFAULT 'none',
   referred_by INTEGER REFERENCES patients (id), CHECK (diagnosis <> 'forbidden'))`,
  `CREATE TABLE IF NOT EXISTS visits (id INTEGER PRIMARY KEY, patient_id INTEGER NOT NULL REFERENCES patients (id),
   reason TEXT NOT NULL, cost INTEGER NOT NULL)`,
  'CREATE TABLE IF NOT EXISTS doctors (id INTEGER PRIMARY KEY, name TEXT NOT NULL)',
  `CREATE TABLE IF NOT EXISTS patient_doctors (patient_id INTEGER NOT NULL REFERENCES patients (id),
   doctor_id INTEGER NOT NULL REFERENCES doctors (id), since TEXT NOT NULL, PRIMARY KEY (patient_id, doctor_id))`,
  'CREATE TABLE IF NOT EXISTS ledger (id INTEGER PRIMARY KEY, patient_id INTEGER REFERENCES patients (id), sum INTEGER)',
  'CREATE VIEW IF NOT EXISTS patient_cards AS SELECT id, owner, name, ward_id FROM patients',
]

/** Rows that the caller `mine` may see; they are the same in both worlds. */
const visibleRows = [
  "INSERT INTO wards VALUES (1, 'North')",
  "INSERT INTO doctors VALUES (1, 'Dr. Ash'), (2, 'Dr. Birch')",
  `INSERT INTO patients (id, owner, ward_id, name, code, weight, data, diagnosis) VALUES
   (1, 'mine', 1, 'Ada', 'C-1', 70, '{"a":{"b":1}}', 'SENTINEL-COLUMN'),
   (2, 'mine', NULL, 'Ben', 'C-2', 250, '[1,2]', 'SENTINEL-COLUMN')`,
  "INSERT INTO visits VALUES (1, 1, 'check', 100), (2, 2, 'check', 200)",
  "INSERT INTO patient_doctors VALUES (1, 1, 'SENTINEL-COLUMN')",
]

/** What must not be seen: there in the one world, otherwise or not there in the other. */
const secretRows = [
  "INSERT INTO wards VALUES (2, 'SENTINEL-WARD')",
  `INSERT INTO patients (id, owner, ward_id, name, code, weight, data, diagnosis, referred_by) VALUES
   (10, 'theirs', 2, 'SENTINEL-ROW', 'SENTINEL-CODE', 987654321, '{"a":{"b":987654321}}', 'SENTINEL-COLUMN', 1),
   (11, 'theirs', 1, 'Ada SENTINEL-ROW', NULL, 60, 'SENTINEL-NOT-JSON', 'SENTINEL-COLUMN', 10)`,
  "INSERT INTO visits VALUES (10, 10, 'SENTINEL-VISIT', 987654321), (11, 11, 'SENTINEL-VISIT', 1)",
  "INSERT INTO patient_doctors VALUES (10, 1, 'SENTINEL'), (10, 2, 'SENTINEL'), (11, 2, 'SENTINEL')",
  'INSERT INTO ledger VALUES (1, 10, 987654321)',
]

/** The other world: the secret rows are not there, and hidden columns of the caller's own rows are otherwise. */
const otherwise = [
  "UPDATE patients SET diagnosis = 'else', referred_by = 2 WHERE id = 1",
  'UPDATE patients SET diagnosis = NULL WHERE id = 2',
  "UPDATE patient_doctors SET since = 'else'",
]

export type World = 'with secrets' | 'without secrets'

const { DB } = env as unknown as { DB: D1Database }
export const jwtSecret = 'a-secret-of-the-tests-that-is-long-enough'

export async function prepareClinic(declarations: TableDeclarations = clinicTables): Promise<void> {
  await DB.batch(createStatements.map((statement) => DB.prepare(statement)))
  await reconcileSearch(DB, buildCatalog(declarations))
}

export async function makeWorld(world: World): Promise<void> {
  const empty = ['ledger', 'patient_doctors', 'visits', 'patients', 'doctors', 'wards'].map(
    (table) => `DELETE FROM ${table}`,
  )
  const unlink = ['UPDATE patients SET referred_by = NULL']
  const rows = [...visibleRows, ...(world === 'with secrets' ? secretRows : otherwise)]
  await DB.batch([...unlink, ...empty, ...rows].map((statement) => DB.prepare(statement)))
}

/**
 * A gateway over tables of the test's own, on the test's database. Without a cache, unless told otherwise: what tests write
 * into the database themselves would be missed, and what is compared would be the same answer twice.
 */
export function gatewayOver(
  tables: TableDeclarations,
  config: Partial<AtollConfig> = {},
  functions: FunctionManifest = {},
) {
  const gateway = createGateway({ tables, config: { maxRows: null, cache: false, ...config }, functions })
  const bindings = { ...(env as unknown as Record<string, unknown>), ATOLL_JWT_SECRET: jwtSecret }
  return async (path: string, init: RequestInit = {}, token: string | null = null): Promise<Response> => {
    const headers = new Headers(init.headers)
    if (token !== null) headers.set('authorization', `Bearer ${token}`)
    return fetchFrom(gateway, new Request(`http://clinic.test${path}`, { ...init, headers }), bindings)
  }
}

export function tokenFor(claims: Readonly<Record<string, unknown>>): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(jwtSecret))
}

/** Everything that an answer says, for comparison; a session's token is sealed and never the same. */
export async function everything(response: Response): Promise<string> {
  const told = [...response.headers].filter(([name]) => name !== 'atoll-session' && name !== 'x-request-id')
  const headers = told.map(([name, value]) => `${name}: ${value}`).sort()
  return [response.status, ...headers, await response.text()].join('\n')
}
