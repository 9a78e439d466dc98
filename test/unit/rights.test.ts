import { and, eq, exists, inArray, sql } from 'drizzle-orm'
import { index, integer, sqliteTable, sqliteView, text } from 'drizzle-orm/sqlite-core'
import { describe, expect, it } from 'vitest'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { checkPolicies } from '../../db/catalog/check-policies.ts'
import { type Access, defineTables, distributed, local, reference, view } from '../../db/define.ts'
import { policyCallerOf, Rights } from '../../functions/access/rights.ts'
import { type Caller, subjectOf } from '../../functions/core/caller.ts'
import { PlanCache } from '../../functions/rest/shapes/plan-cache.ts'

const notes = sqliteTable(
  'notes',
  {
    id: integer('id').primaryKey(),
    owner: text('owner').notNull(),
    teamId: integer('team_id'),
    body: text('body'),
  },
  (table) => [index('notes_owner').on(table.owner)],
)
const teams = sqliteTable('teams', { id: integer('id').primaryKey(), name: text('name') })
const other = sqliteTable('other', { id: integer('id').primaryKey() })
const shown = sqliteView('shown', { id: integer('id'), body: text('body') }).as(
  sql`SELECT id, body FROM ${notes}`,
)

const catalogOf = (access: Access<typeof notes>) =>
  buildCatalog(
    defineTables({
      notes: distributed(notes, { by: 'owner', access }),
      teams: reference(teams),
      other: local(other),
    }),
  )
const callerOf = (claims: Record<string, unknown>, role = 'user'): Caller => ({
  role,
  sub: subjectOf(claims),
  signedIn: true,
  claims,
  key: 'token',
})
const rightsOf = (access: Access<typeof notes>, claims: Record<string, unknown>) => {
  const catalog = catalogOf(access)
  const rights = new Rights(catalog, callerOf(claims))
  // biome-ignore lint/style/noNonNullAssertion: the catalog was made with it
  return { rights, table: catalog.tables.get('notes')! }
}

describe('what a policy reads of its caller', () => {
  it.each<[string, Access<typeof notes>, string[]]>([
    ['nothing', { user: { select: true } }, []],
    ['nothing, in a condition', { user: { select: ({ row }) => eq(row.teamId, 1) } }, []],
    ['the subject', { user: { select: ({ caller, row }) => eq(row.owner, caller.sub) } }, ['sub']],
    [
      'a claim that is not there',
      { user: { select: ({ caller, row }) => eq(row.teamId, caller.claims.team) } },
      ['team'],
    ],
    [
      'only what decided',
      { user: { select: ({ caller, row }) => (caller.claims.admin ? true : eq(row.owner, caller.sub)) } },
      ['admin'],
    ],
    [
      'which claims there are',
      { user: { select: ({ caller }) => Object.keys(caller.claims).length > 5 } },
      ['*', 'admin', 'sub'],
    ],
  ])('is noted: %s', (_, access, expected) => {
    const { rights, table } = rightsOf(access, { admin: true, sub: 'me' })
    rights.rows(table, 'select')
    expect(rights.claimsRead).toEqual(expected)
  })

  it('cannot be changed by it', () => {
    const claims = { sub: 'me' }
    const { rights, table } = rightsOf(
      {
        user: {
          select: ({ caller }) => {
            ;(caller.claims as Record<string, unknown>).sub = 'you'
            return true
          },
        },
      },
      claims,
    )
    expect(() => rights.rows(table, 'select')).toThrow()
    expect(claims.sub).toBe('me')
  })

  it.each([
    [{ sub: 'me' }, 'me'],
    [{ sub: 7 }, '7'],
    [{ sub: ['me'] }, null],
    [{}, null],
  ])('are asked with the subject that functions see: %j', (claims, sub) => {
    const caller = callerOf(claims)
    expect([caller.sub, policyCallerOf(caller).sub]).toEqual([sub, sub])
  })
})

describe('plans', () => {
  const own: Access<typeof notes> = { user: { select: ({ caller, row }) => eq(row.owner, caller.sub) } }
  const byTeams: Access<typeof notes> = {
    user: { select: ({ caller, row }) => inArray(row.teamId, caller.claims.teams ?? []) },
  }

  function plansMade(access: Access<typeof notes>, callers: readonly Record<string, unknown>[]) {
    const catalog = catalogOf(access)
    const table = catalog.tables.get('notes') as never
    const cache = new PlanCache<unknown>({ name: 'plans', maxEntries: 10 })
    let made = 0
    const values = callers.map((claims) => {
      const rights = new Rights(catalog, callerOf(claims))
      cache.getOrMake('shape', rights, () => {
        made++
        return rights.rows(table, 'select')
      })
      return rights.value(rights.asked[0] as string, 0)
    })
    return { made, values }
  }

  it('are shared by callers whose conditions read the same, with values of their own', () => {
    expect(plansMade(own, [{ sub: 'a' }, { sub: 'b' }, {}])).toEqual({ made: 1, values: ['a', 'b', null] })
  })

  it('are made anew where conditions are worded otherwise', () => {
    const callers = [{ teams: [1] }, { teams: [2] }, { teams: [1, 2] }, {}]
    expect(plansMade(byTeams, callers)).toEqual({ made: 3, values: ['1', '2', '1', null] })
  })
})

describe('grants that cannot be', () => {
  const problems = (access: unknown) => {
    try {
      catalogOf(access as Access<typeof notes>)
    } catch (error) {
      return (error as Error).message
    }
    return ''
  }

  it.each([
    [{ user: { select: { columns: ['nope'] } } }, 'table notes, role user, select: there is no column nope'],
    [{ user: { read: true } }, 'table notes, role user: there is no operation read'],
    [{ user: { select: { check: true } } }, 'it has no check; use where, columns'],
    [{ user: { insert: { where: true } } }, 'it has no where; use check, columns'],
    [{ user: { delete: { columns: ['id'] } } }, 'it has no columns; use where'],
    [{ user: { select: false } }, 'a grant is true, a condition or an object'],
  ])('are refused with table, role and remedy: %o', (access, message) => {
    expect(problems(access)).toContain(message)
  })

  it('are refused when they are asked: what does not lie beside the row, or is no condition', () => {
    const asks = (access: Access<typeof notes>) => () => {
      const { rights, table } = rightsOf(access, { sub: 'me' })
      rights.rows(table, 'select')
    }
    const reading = (table: typeof other | typeof teams): Access<typeof notes> => ({
      user: {
        select: ({ row, query }) =>
          exists(query.select({ one: sql`1` }).from(table).where(eq(table.id, row.teamId))),
      },
    })
    expect(asks(reading(teams))).not.toThrow()
    expect(asks(reading(other))).toThrow('a policy of notes reads other: it does not lie beside it')
    expect(asks({ user: { select: ({ caller }) => eq(notes.owner, caller.sub) } })).toThrow(
      'use the columns of row',
    )
    expect(asks({ user: { select: () => and() } })).toThrow('gives no condition')
    expect(asks({ user: { select: ({ row }) => eq(row.owner, { a: 1 } as never) } })).not.toThrow()
    expect(asks({ user: { select: () => sql`1 = (SELECT 1 FROM other AS _t0)` } })).toThrow('begins with')
    expect(asks({ user: { select: ({ row }) => sql`${row.id} = ${sql.placeholder('x')}` } })).toThrow(
      'placeholder',
    )
  })

  it('are refused of a view that shows what a policy hides', () => {
    const build = (viewAccess: Access<typeof shown>) =>
      buildCatalog(
        defineTables({
          notes: local(notes, {
            access: {
              user: {
                select: { where: ({ caller, row }) => eq(row.owner, caller.sub), columns: ['id', 'owner'] },
              },
            },
          }),
          shown: view(shown, {
            access: viewAccess,
            sources: { id: ['notes', 'id'], body: ['notes', 'body'] },
          }),
        }),
      )
    expect(() => build({ user: { select: { columns: ['id'] } } })).toThrow(
      'view shown, role user, select: it shows every row, and the role sees only some rows of notes',
    )
    expect(() => build({ user: { select: { where: () => true } } })).toThrow(
      'it shows the column body of notes, which the role does not see',
    )
    expect(() =>
      build({ user: { select: { where: () => true, columns: ['id'] } }, anon: { select: true } }),
    ).not.toThrow()
  })

  it('are found before any request when a condition fails without claims', () => {
    const broken: Access<typeof notes> = {
      user: { select: ({ caller, row }) => inArray(row.teamId, caller.claims.teams.list) },
      guest: { update: ({ row, caller }) => eq(row.owner, caller.sub) },
    }
    expect(checkPolicies(catalogOf(broken))).toEqual([
      expect.stringContaining('table notes, role user, select, where: for a caller without claims it fails'),
    ])
  })

  it('change the catalog’s fingerprint', () => {
    const prints = [
      catalogOf({}),
      catalogOf({ user: { select: true } }),
      catalogOf({ user: { select: ({ row }) => eq(row.id, 1) } }),
      catalogOf({ user: { select: ({ row }) => eq(row.id, 2) } }),
      catalogOf({ user: { select: { columns: ['id'] } } }),
    ].map(({ fingerprint }) => fingerprint)
    expect(new Set(prints).size).toBe(5)
  })
})
