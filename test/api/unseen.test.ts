import { beforeAll, describe, expect, it } from 'vitest'
import {
  clinicTables,
  everything,
  gatewayOver,
  makeWorld,
  prepareClinic,
  tokenFor,
  type World,
} from '../support/clinic.ts'
import { rows } from '../support/worker-client.ts'

/**
 * Promise "unseen" as non-interference: each attack is made in two worlds that differ only in what the attacker may not
 * see. If the answers differ in status, headers or body, something was seen.
 */
const ask = gatewayOver(clinicTables)
const tokens = { mine: '', intake: '', nurse: '' }

beforeAll(async () => {
  await prepareClinic()
  tokens.mine = await tokenFor({ role: 'authenticated', sub: 'mine', wards: [1] })
  tokens.intake = await tokenFor({ role: 'intake', sub: 'mine' })
  tokens.nurse = await tokenFor({ role: 'nurse', sub: 'mine' })
})

interface Attack {
  readonly method?: string
  readonly path: string
  readonly prefer?: string | undefined
  readonly accept?: string | undefined
  readonly body?: unknown
  readonly as?: 'intake' | 'nurse'
}

async function answerIn(
  world: World,
  { method = 'GET', path, prefer, accept, body, as }: Attack,
): Promise<string> {
  await makeWorld(world)
  const headers = {
    ...(prefer === undefined ? {} : { Prefer: prefer }),
    ...(accept === undefined ? {} : { Accept: accept }),
    ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
  }
  const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
  return everything(await ask(`/rest/v1/${path}`, init, tokens[as ?? 'mine']))
}

async function expectUnseen(attack: Attack): Promise<string> {
  const there = await answerIn('with secrets', attack)
  const elsewhere = await answerIn('without secrets', attack)
  expect(there).toBe(elsewhere)
  // What the attacker sent may come back; nothing else may hold a sentinel.
  const sent = decodeURIComponent(attack.path) + JSON.stringify(attack.body ?? '')
  if (!sent.includes('SENTINEL')) expect(there).not.toContain('SENTINEL')
  if (!sent.includes('987654321')) expect(there).not.toContain('987654321')
  return there
}

const reads: readonly (readonly [
  name: string,
  path: string,
  prefer?: string | undefined,
  accept?: string,
])[] = [
  ['all rows', 'patients'],
  ['a row by its id', 'patients?id=eq.10'],
  ['a row as one object', 'patients?id=eq.10', undefined, 'application/vnd.pgrst.object+json'],
  ['rows as CSV', 'patients?order=id', undefined, 'text/csv'],
  ['an exact count', 'patients?limit=1', 'count=exact'],
  ['an estimated count', 'patients?limit=1', 'count=estimated'],
  ['a count beyond the end', 'patients?offset=3', 'count=exact'],
  ['count()', 'patients?select=count()'],
  ['sum and max', 'patients?select=weight.sum(),weight.max(),weight.min(),weight.avg()'],
  ['groups', 'patients?select=ward_id,count()&order=ward_id'],
  ['order by a value', 'patients?select=id&order=weight.desc,id&limit=1'],
  ['order by JSON', 'patients?select=id&order=data->a->b.desc,id&limit=1'],
  ['a filter on a value', 'patients?name=like.SENTINEL*'],
  ['a logic tree', 'patients?or=(name.like.SENTINEL*,weight.gt.900000)'],
  ['a negated tree', 'patients?select=id&not.and=(weight.lt.1000,id.lt.5)'],
  ['a filter that fails on what is in the row', 'patients?data->a->>b=eq.1'],
  ['the same in a tree', 'patients?or=(id.eq.1,data->a->>b.eq.1)'],
  ['containment in JSON', 'patients?data=cs.{"a":{"b":987654321}}'],
  ['equality of JSON', 'patients?data=eq.[1,2]'],
  ['a cast that fails on what is in the row', 'patients?select=name::int&name=like.SENTINEL*'],
  ['full-text search for a row', 'patients?name=fts.sentinel'],
  ['full-text search for a common word', 'patients?select=id&name=fts.ada'],
  ['full-text search of a denied column', 'patients?diagnosis=fts.sentinel'],
  ['full-text search that names a denied column', 'patients?name=fts.diagnosis:sentinel'],
  ['words at a distance in a row', 'patients?name=fts.sentinel<0>sentinel'],
  ['the lack of words at a distance', 'patients?select=id&name=not.fts.sentinel<0>sentinel'],
  ['words at a distance in a denied column', 'patients?diagnosis=fts.sentinel<0>sentinel'],
  ['an allowed computed column', 'patients?select=id,initial&initial=eq.S'],
  ['a denied column', 'patients?select=diagnosis'],
  ['a denied column under another name', 'patients?select=x:diagnosis'],
  ['a cast of a denied column', 'patients?select=diagnosis::text'],
  ['a filter on a denied column', 'patients?diagnosis=eq.SENTINEL-COLUMN'],
  ['a denied column in a tree', 'patients?or=(diagnosis.is.null,id.eq.1)'],
  ['order by a denied column', 'patients?order=diagnosis'],
  ['an aggregate of a denied column', 'patients?select=diagnosis.max()'],
  ['a computed column that reads a denied one', 'patients?select=summary'],
  ['a filter on such a column', 'patients?summary=like.*SENTINEL*'],
  ['JSON path in a denied column', 'patients?select=diagnosis->a'],
  ['embedding through a denied column', 'patients?select=id,referred_by(name)'],
  ['embedding against a denied column', 'patients?select=id,patients(name)'],
  ['embedding by a denied key', 'patients?select=id,patients!patients_referred_by_fkey(name)'],
  ['an embedded list', 'doctors?select=name,patients(name)&order=id'],
  ['an embedded count', 'doctors?select=name,patients(count)&order=id'],
  ['an inner embed', 'doctors?select=id,patients!inner(id)&patients.name=like.SENTINEL*'],
  ['which parents have rows', 'doctors?select=id,patients()&patients=not.is.null&order=id'],
  ['which parents have none', 'doctors?select=id,patients()&patients=is.null&order=id'],
  ['the junction itself', 'patient_doctors'],
  ['a denied column of the junction', 'patient_doctors?select=since'],
  ['an embedded junction', 'doctors?select=id,patient_doctors(patient_id)&order=id'],
  ['a to-one embed', 'patients?select=id,wards(name)&order=id'],
  ['a to-one spread', 'patients?select=id,...wards(ward:name)&order=id'],
  ['a to-many spread', 'doctors?select=id,...patients(names:name)&order=id'],
  ['order by an embedded column', 'patients?select=id,wards(name)&order=wards(name).desc,id'],
  ['order by a spread column', 'patients?select=id,...wards(ward:name)&order=wards(ward),id'],
  ['a policy with a subquery', 'visits?order=id'],
  ['sums under such a policy', 'visits?select=cost.sum(),count()'],
  ['sums by an embedded name', 'visits?select=cost.sum(),...patients(name)'],
  ['a view', 'patient_cards?order=id'],
  ['a view by a value', 'patient_cards?name=like.SENTINEL*', 'count=exact'],
  ['an embed of a view', 'wards?select=id,patient_cards(name)'],
  ['through a view', 'patient_cards?select=id,visits(reason)&order=id'],
  ['a table that is denied', 'ledger'],
  ['an embed of a denied table', 'patients?select=id,ledger(sum)'],
  ['a filter by a denied table', 'patients?select=id,ledger()&ledger=not.is.null'],
  ['an ambiguous embed', 'wards?select=id,patients(name)'],
  ['the description', ''],
  ['null of a denied row', 'wards?id=eq.2&name=is.null'],
  ['any of a list', 'patients?name=like(any).{SENTINEL*,A*}&select=id'],
  ['a range header beyond', 'patients?select=id&offset=1&limit=5', 'count=exact'],
]

describe('what a caller may not see, by reading', () => {
  it.each(reads.map(([name, path, prefer, accept]) => ({ name, path, prefer, accept })))(
    '$name',
    async ({ path, prefer, accept }) => {
      await expectUnseen({ path, prefer, accept })
    },
  )

  it('is not told by a filter that fails, whichever condition the database checks first', async () => {
    const filters = [
      'data->a->>b=eq.1',
      'or=(data->a->>b.eq.1,id.eq.1)',
      'data=cs.{"a":{"b":1}}',
      'data->a=not.is.null',
      'initial=eq.S',
      'data=eq.[1,2]',
    ]
    for (const filter of filters) {
      await expectUnseen({ path: `patients?select=id&${filter}`, as: 'nurse' })
      await expectUnseen({ path: `patients?select=count()&${filter}`, as: 'nurse', prefer: 'count=exact' })
      await expectUnseen({ method: 'PATCH', path: `patients?${filter}`, body: { name: 'x' }, as: 'nurse' })
    }
    const seen = await expectUnseen({ path: 'patients?select=id&data->a->>b=eq.1', as: 'nurse' })
    expect(seen).toContain('[{"id":1}]')
  })

  it('is asked with HEAD and an entity tag as well', async () => {
    await expectUnseen({ method: 'HEAD', path: 'patients', prefer: 'count=exact' })
    await expectUnseen({ method: 'HEAD', path: 'patients?id=eq.10' })
  })

  it('is what other callers do see, so that the attacks mean something', async () => {
    await makeWorld('with secrets')
    const theirs = await tokenFor({ role: 'authenticated', sub: 'theirs', wards: [2] })
    const response = await ask('/rest/v1/doctors?select=id,patients(name,wards(name))&order=id', {}, theirs)
    expect(await response.json()).toEqual([
      { id: 1, patients: [{ name: 'SENTINEL-ROW', wards: { name: 'SENTINEL-WARD' } }] },
      {
        id: 2,
        patients: [
          { name: 'SENTINEL-ROW', wards: { name: 'SENTINEL-WARD' } },
          { name: 'Ada SENTINEL-ROW', wards: null },
        ],
      },
    ])
  })

  it('gives a denied column the same answer as one that does not exist', async () => {
    await makeWorld('with secrets')
    for (const use of [
      'select=X',
      'X=eq.1',
      'order=X',
      'select=X.max()',
      'or=(X.eq.1,id.eq.1)',
      'select=a:X::text',
      'X=fts.a',
    ]) {
      const [denied, missing] = await Promise.all(
        ['diagnosis', 'diagnosiz'].map(async (name) =>
          (
            await everything(await ask(`/rest/v1/patients?${use.replace('X', name)}`, {}, tokens.mine))
          ).replaceAll(name, 'X'),
        ),
      )
      expect(denied).toBe(missing)
    }
  })
})

const full = 'return=representation'
const writes: readonly (readonly [name: string, attack: Attack])[] = [
  ['update by id', { method: 'PATCH', path: 'patients?id=eq.10', body: { name: 'x' }, prefer: full }],
  [
    'update all',
    { method: 'PATCH', path: 'patients?weight=lt.200', body: { name: 'x' }, prefer: `${full},count=exact` },
  ],
  [
    'update without a filter',
    { method: 'PATCH', path: 'patients', body: { name: 'x' }, prefer: 'count=exact' },
  ],
  ['update by a denied column', { method: 'PATCH', path: 'patients?diagnosis=like.S*', body: { name: 'x' } }],
  [
    'set a denied column',
    { method: 'PATCH', path: 'patients?id=eq.1', body: { diagnosis: 'x' }, prefer: full },
  ],
  [
    'show a denied column',
    { method: 'PATCH', path: 'patients?id=eq.1&select=diagnosis', body: { name: 'x' }, prefer: full },
  ],
  [
    'filter that fails on a row',
    { method: 'PATCH', path: 'patients?data->a->>b=eq.1', body: { name: 'x' }, prefer: full },
  ],
  ['give away a row', { method: 'PATCH', path: 'patients?id=eq.1', body: { owner: 'theirs' }, prefer: full }],
  ['give away a row, quietly', { method: 'PATCH', path: 'patients?id=eq.1', body: { owner: 'theirs' } }],
  [
    'update with a limit',
    {
      method: 'PATCH',
      path: 'patients?order=weight.desc&limit=1&select=id',
      body: { name: 'x' },
      prefer: full,
    },
  ],
  [
    'update, embeds shown',
    {
      method: 'PATCH',
      path: 'patients?id=eq.1&select=id,wards(name),visits(reason),doctors(name)',
      body: { name: 'x' },
      prefer: full,
    },
  ],
  [
    'update, exactly one',
    {
      method: 'PATCH',
      path: 'patients?name=like.*SENTINEL*',
      body: { name: 'x' },
      accept: 'application/vnd.pgrst.object+json',
      prefer: full,
    },
  ],
  [
    'update, at most one',
    {
      method: 'PATCH',
      path: 'patients?weight=lt.100',
      body: { name: 'x' },
      prefer: 'handling=strict,max-affected=1',
    },
  ],
  [
    'update undone',
    { method: 'PATCH', path: 'patients?weight=lt.200', body: { name: 'x' }, prefer: `${full},tx=rollback` },
  ],
  ['delete by id', { method: 'DELETE', path: 'visits?id=eq.10', prefer: full }],
  [
    'delete by a value',
    { method: 'DELETE', path: 'patients?name=like.SENTINEL*', prefer: `${full},count=exact` },
  ],
  ['delete everything', { method: 'DELETE', path: 'patient_cards?id=gte.0', prefer: full }],
  [
    'insert for somebody else',
    { method: 'POST', path: 'patients', body: { owner: 'theirs', name: 'x' }, prefer: full },
  ],
  [
    'insert for somebody else, quietly',
    { method: 'POST', path: 'patients', body: { owner: 'theirs', name: 'x' } },
  ],
  [
    'insert one of many for somebody else',
    {
      method: 'POST',
      path: 'patients',
      body: [
        { owner: 'mine', name: 'x' },
        { owner: 'theirs', name: 'y' },
      ],
    },
  ],
  [
    'insert a denied column',
    { method: 'POST', path: 'patients', body: { owner: 'mine', name: 'x', diagnosis: 'x' } },
  ],
  [
    'insert with a taken id, for somebody else',
    { method: 'POST', path: 'patients', body: { id: 10, owner: 'theirs', name: 'x' } },
  ],
  [
    'insert with a taken code, for somebody else',
    { method: 'POST', path: 'patients', body: { code: 'SENTINEL-CODE', owner: 'theirs', name: 'x' } },
  ],
  [
    'merge into a row, for somebody else',
    {
      method: 'POST',
      path: 'patients',
      body: { id: 10, owner: 'theirs', name: 'x', weight: 1 },
      prefer: `${full},resolution=merge-duplicates`,
    },
  ],
  [
    'pass over a row, for somebody else',
    {
      method: 'POST',
      path: 'patients',
      body: { id: 10, owner: 'theirs', name: 'x' },
      prefer: `${full},resolution=ignore-duplicates`,
    },
  ],
  [
    'put a row, for somebody else',
    {
      method: 'PUT',
      path: 'patients?id=eq.10',
      body: { id: 10, owner: 'theirs', name: 'x', weight: 1 },
      prefer: full,
    },
  ],
  [
    'conflict on a denied column',
    {
      method: 'POST',
      path: 'patients?on_conflict=diagnosis',
      body: { owner: 'mine', name: 'x' },
      prefer: 'resolution=merge-duplicates',
    },
  ],
  [
    'refer to a row that is not seen',
    { method: 'POST', path: 'visits', body: { patient_id: 10, reason: 'x', cost: 1 }, prefer: full },
  ],
  [
    'refer to it, quietly',
    { method: 'POST', path: 'visits', body: { patient_id: 10, reason: 'x', cost: 1 } },
  ],
  [
    'refer to it among others',
    {
      method: 'POST',
      path: 'visits',
      body: [
        { patient_id: 1, reason: 'x', cost: 1 },
        { patient_id: 10, reason: 'x', cost: 1 },
      ],
    },
  ],
  ['refer to a ward that is not seen', { method: 'PATCH', path: 'patients?id=eq.1', body: { ward_id: 2 } }],
  [
    'refer without seeing',
    { method: 'POST', path: 'patients', body: { owner: 'x', name: 'y', ward_id: 2 }, as: 'intake' },
  ],
  [
    'insert without seeing',
    { method: 'POST', path: 'patients', body: { owner: 'x', name: 'y' }, as: 'intake', prefer: full },
  ],
  [
    'the address of a row that is not seen',
    {
      method: 'POST',
      path: 'patients',
      body: { owner: 'x', name: 'y' },
      as: 'intake',
      prefer: 'return=headers-only',
    },
  ],
  ['a denied table', { method: 'POST', path: 'ledger', body: { sum: 1 } }],
  [
    'show inner embeds',
    {
      method: 'POST',
      path: 'patients?select=id,wards!inner(name)',
      body: { id: 50, owner: 'mine', name: 'x', ward_id: 1 },
      prefer: full,
    },
  ],
]

describe('what a caller may not see, by writing', () => {
  it.each(writes)('%s', async (_, attack) => {
    await expectUnseen(attack)
  })

  it('is not changed by any of it', async () => {
    for (const [name, attack] of writes) {
      await makeWorld('with secrets')
      const before = await secrets()
      await ask(
        `/rest/v1/${attack.path}`,
        {
          method: attack.method ?? 'GET',
          headers: {
            'Content-Type': 'application/json',
            ...(attack.prefer ? { Prefer: attack.prefer } : {}),
          },
          ...(attack.body === undefined ? {} : { body: JSON.stringify(attack.body) }),
        },
        tokens[attack.as ?? 'mine'],
      )
      expect([name, await secrets()]).toEqual([name, before])
    }
  })

  it('does not hide what a policy over the row’s own table allows to change', async () => {
    await makeWorld('with secrets')
    const chief = await tokenFor({ role: 'chief', sub: 'mine' })
    const seen = await ask('/rest/v1/patients?select=id&order=id', {}, chief)
    expect(await seen.json()).toEqual([{ id: 1 }, { id: 2 }, { id: 10 }])
    for (const [id, changed] of [
      [10, [{ id: 10 }]],
      [11, []],
      [1, []],
    ]) {
      const response = await ask(
        `/rest/v1/patients?id=eq.${id}&select=id`,
        {
          method: 'PATCH',
          headers: { 'Content-Type': 'application/json', Prefer: full },
          body: '{"name":"x"}',
        },
        chief,
      )
      expect([id, await response.json()]).toEqual([id, changed])
    }
    const away = await ask(
      '/rest/v1/patients?id=eq.10',
      { method: 'PATCH', headers: { 'Content-Type': 'application/json' }, body: '{"referred_by":11}' },
      chief,
    )
    expect(away.status).toBe(403)
    const orphaned = await ask(
      '/rest/v1/patients?id=eq.10',
      { method: 'PATCH', headers: { 'Content-Type': 'application/json' }, body: '{"referred_by":null}' },
      chief,
    )
    expect(orphaned.status).toBe(403)
  })

  it('answers a merge into a denied row like a row that the check denies, and leaves it', async () => {
    const merge = { method: 'POST', path: 'patients', prefer: `${full},resolution=merge-duplicates` }
    const taken = await answerIn('with secrets', {
      ...merge,
      body: { id: 10, owner: 'mine', name: 'x', weight: 1 },
    })
    const denied = await answerIn('with secrets', {
      ...merge,
      body: { id: 99, owner: 'theirs', name: 'x', weight: 1 },
    })
    expect(taken).toBe(denied)
    expect(taken).toContain('42501')
  })
})

/** Everything that belongs to others, and the hidden columns of the caller's own. */
async function secrets() {
  return {
    patients: await rows("SELECT * FROM patients WHERE owner <> 'mine' AND id < 12 ORDER BY id"),
    hidden: await rows('SELECT id, diagnosis FROM patients WHERE id < 3 ORDER BY id'),
    visits: await rows('SELECT * FROM visits WHERE id > 2 AND id < 12 ORDER BY id'),
    links: await rows('SELECT * FROM patient_doctors ORDER BY 1, 2'),
    wards: await rows('SELECT * FROM wards ORDER BY 1'),
    ledger: await rows('SELECT * FROM ledger'),
  }
}
