#!/usr/bin/env bash
# Columns of big integers in SQLite: one kind is sorted and compared as text, the other loses digits in relational queries.
#
# What surprised: `blob({ mode: 'bigint' })` keeps the digits as text in a blob, so that 10 comes before 9, nothing is greater
# than 9 and the maximum of 9 and 10 is 9. `numeric({ mode: 'bigint' })` compares rightly and comes back exactly from
# `select()`; by `query...with` the same column of a related row goes through JSON and JavaScript's numbers, and a bigint comes
# back that is another number.
# Why it matters: both have the type bigint and pass every test with few digits.
# Versions: drizzle-orm 0.45.4, Node 24.21.0 (its SQLite behind drizzle-orm/sqlite-proxy; D1's driver makes the same statements).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "name": "finding", "private": true, "type": "module" }' > package.json
npm install --no-audit --no-fund --silent --save-exact drizzle-orm@0.45.4 node@24.21.0 || exit 2
npm pkg get dependencies

cat > finding.mjs <<'JS'
import { DatabaseSync } from 'node:sqlite'
import { asc, gt, max, relations } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/sqlite-proxy'
import { blob, integer, numeric, sqliteTable } from 'drizzle-orm/sqlite-core'

let changed = false
/** Shows what was seen, and notes when it is not what this finding says. */
function expect(what, seen, described) {
  const [is, was] = [seen, described].map((value) => JSON.stringify(value))
  console.log(`${what}\n    ${is}`)
  if (is === was) return
  changed = true
  console.log(`    NOT AS DESCRIBED, which was ${was}`)
}
const lite = new DatabaseSync(':memory:')
lite.exec('CREATE TABLE sums (amount blob); CREATE TABLE parents (id integer PRIMARY KEY);')
lite.exec('CREATE TABLE children (parent integer, number numeric)')
const sums = sqliteTable('sums', { amount: blob({ mode: 'bigint' }) })
const parents = sqliteTable('parents', { id: integer().primaryKey() })
const children = sqliteTable('children', { parent: integer(), number: numeric({ mode: 'bigint' }) })
const schema = {
  parents,
  children,
  ofParents: relations(parents, ({ many }) => ({ children: many(children) })),
  ofChildren: relations(children, ({ one }) => ({ of: one(parents, { fields: [children.parent], references: [parents.id] }) })),
}
const db = drizzle((statement, parameters, method) => {
  const prepared = lite.prepare(statement)
  prepared.setReturnArrays(true)
  prepared.setReadBigInts(true)
  const rows = prepared.all(...parameters)
  return Promise.resolve({ rows: method === 'get' ? rows[0] : rows })
}, { schema })

await db.insert(sums).values([{ amount: 9n }, { amount: 10n }])
const amounts = (rows) => rows.map(({ amount }) => String(amount))
expect('blob, in order', amounts(await db.select().from(sums).orderBy(asc(sums.amount))), ['10', '9'])
expect('blob, greater than 9', amounts(await db.select().from(sums).where(gt(sums.amount, 9n))), [])
expect('blob, the maximum', amounts(await db.select({ amount: max(sums.amount) }).from(sums)), ['9'])

await db.insert(parents).values({ id: 1 })
await db.insert(children).values({ parent: 1, number: 9007199254740993n })
expect('numeric, selected', String((await db.select().from(children))[0].number), '9007199254740993')
const found = await db.query.parents.findMany({ with: { children: true } })
expect('numeric, as a related row', [typeof found[0].children[0].number, String(found[0].children[0].number)],
  ['bigint', '9007199254740992'])
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs
