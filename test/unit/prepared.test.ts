import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { Rights } from '../../functions/access/rights.ts'
import { defaultConfig } from '../../functions/areas.ts'
import { serviceCaller } from '../../functions/core/caller.ts'
import { canonicalRequest } from '../../functions/rest/ask/canonical-request.ts'
import { parseRequest } from '../../functions/rest/ask/parse-request.ts'
import { shapeOf } from '../../functions/rest/ask/shape.ts'
import { compileRead } from '../../functions/rest/compile/compile-read.ts'
import { cachePlanOf } from '../../functions/rest/plan/cache-plan.ts'
import { costOf } from '../../functions/rest/plan/check-budget.ts'
import { planRequest } from '../../functions/rest/plan/plan-request.ts'
import { serveSchemas } from '../../functions/rest/plan/served-schemas.ts'
import { sizeOfRead } from '../../functions/rest/shapes/prepared.ts'
import tables from '../fixture-app/db/app/tables.ts'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void
const catalog = buildCatalog(tables)
const [schema] = serveSchemas(catalog, {}, null)
const sizeOf = sizeOfRead(catalog)

function prepare(table: string, query: string, accept = 'application/json') {
  const headers = { method: 'GET', accept, prefer: '', schema: 'public', range: null }
  const shape = shapeOf(table, new URLSearchParams(query), headers)
  const request = parseRequest(table, shape.parameters, headers, defaultConfig)
  const plan = planRequest(request, catalog, new Rights(catalog, serviceCaller), {
    ...defaultConfig,
    schema,
    sharded: true,
  })
  const compiled = compileRead(plan)
  JSON.stringify(compiled)
  if (plan.route.kind !== 'primary') JSON.stringify(compiled.spread())
  const cachePlan = cachePlanOf(plan, catalog)
  const canonical = canonicalRequest(request, 'public')
  return { plan, cost: costOf(request, plan.root), compiled, cachePlan, canonical }
}

const many = (i: number, n: number) =>
  Array.from({ length: n }, (_, j) => `x${j === 0 ? i : j}:name`).join(',')
it.each([
  ['a narrow read', 1000, (i: number) => prepare('tracks', `select=id,a${i}:name&id=eq.1`)],
  [
    'embeds',
    500,
    (i: number) =>
      prepare(
        'albums',
        `select=a${i}:title,artists(name),tracks(id,name,genres(name))&tracks.order=name&limit=3`,
      ),
  ],
  ['700 columns', 20, (i: number) => prepare('tracks', `select=${many(i, 700)}`, 'text/csv')],
  ['several shards', 500, (i: number) => prepare('invoices', `select=a${i}:id,customers(*)&order=id`)],
  [
    'an or of many',
    100,
    (i: number) =>
      prepare('tracks', `select=a${i}:id&or=(${Array.from({ length: 60 }, (_, j) => `id.eq.${j}`)})`),
  ],
  // What others let go of in that moment counts as well: another look finds what is true.
] as const)('%s take about what is said of them', { retry: 5 }, (_, n, make) => {
  make(-1)
  gc()
  const before = process.memoryUsage().heapUsed
  const kept = Array.from({ length: n }, (_, i) => make(i))
  gc()
  const grown = process.memoryUsage().heapUsed - before
  const said = kept.reduce((sum, one) => sum + sizeOf(one), 0)
  // Other files of the process let go of what they had meanwhile: wide bounds.
  expect(grown / said).toBeGreaterThan(0.4)
  expect(grown / said).toBeLessThan(2)
})
