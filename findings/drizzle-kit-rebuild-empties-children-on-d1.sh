#!/usr/bin/env bash
# On D1 a rebuild of a table deletes the rows of the tables that refer to it.
#
# What surprised: the migration begins with PRAGMA foreign_keys=OFF, which D1 takes without a word and does not follow. DROP
# TABLE then deletes the table's rows first, and ON DELETE CASCADE does the rest. The parent's rows are all there afterwards,
# since they were copied before. Deferring foreign keys, which D1 does offer, does not help: it puts off complaints, not actions.
# Why it matters: a change of a default empties other tables, and the migration says that it went well.
# Versions: drizzle-kit 0.31.11, drizzle-orm 0.45.4, Miniflare 5.20261102.0-beta, Node 24.21.0.
# Source: https://github.com/drizzle-team/drizzle-orm/issues/4938; that deferring does not help either was tried here.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "name": "finding", "private": true, "type": "module" }' > package.json
npm install --no-audit --no-fund --silent --save-exact drizzle-kit@0.31.11 drizzle-orm@0.45.4 miniflare@5.20261102.0-beta node@24.21.0 || exit 2
npm pkg get dependencies

cat > finding.mjs <<'JS'
import { DatabaseSync } from 'node:sqlite'
import { generateSQLiteDrizzleJson, generateSQLiteMigration } from 'drizzle-kit/api'
import { integer, sqliteTable } from 'drizzle-orm/sqlite-core'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'

let changed = false
/** Shows what was seen, and notes when it is not what this finding says. */
function expect(what, seen, described) {
  const [is, was] = [seen, described].map((value) => JSON.stringify(value))
  console.log(`${what}\n    ${is}`)
  if (is === was) return
  changed = true
  console.log(`    NOT AS DESCRIBED, which was ${was}`)
}
function schema(stars) {
  const shops = sqliteTable('shops', { id: integer().primaryKey(), stars: integer().default(stars) })
  const shop = integer().references(() => shops.id, { onDelete: 'cascade' })
  return { shops, orders: sqliteTable('orders', { id: integer().primaryKey(), shop }) }
}
const empty = await generateSQLiteDrizzleJson({})
const first = await generateSQLiteDrizzleJson(schema(1), empty.id)
const second = await generateSQLiteDrizzleJson(schema(2), first.id)
const begin = [
  ...(await generateSQLiteMigration(empty, first)),
  'INSERT INTO shops (id) VALUES (1), (2)',
  'INSERT INTO orders VALUES (1, 1), (2, 1), (3, 2)',
]
const rebuild = await generateSQLiteMigration(first, second)
const counts = 'SELECT (SELECT count(*) FROM shops) AS shops, (SELECT count(*) FROM orders) AS orders'
expect('its first statement', rebuild[0], 'PRAGMA foreign_keys=OFF;')

const ways = {
  'statement by statement': async (d1, all) => { for (const one of all) await d1.prepare(one).run() },
  'as a batch': (d1, all) => d1.batch(all.map((one) => d1.prepare(one))),
  'as a batch, deferred': (d1, all) =>
    d1.batch(['PRAGMA defer_foreign_keys=ON', ...all].map((one) => d1.prepare(one))),
}
const bindings = Object.keys(ways).map((_, at) => `DB${at}`)
const miniflare = new Miniflare(convertV4MiniflareOptions({
  modules: true,
  script: 'export default {}',
  compatibilityDate: '2026-10-01',
  d1Databases: bindings,
}))
for (const [at, [name, run]] of Object.entries(ways).entries()) {
  const d1 = await miniflare.getD1Database(bindings[at])
  for (const statement of begin) await d1.prepare(statement).run()
  await run(d1, rebuild)
  expect(`rows on local D1, ${name}`, await d1.prepare(counts).first(), { shops: 2, orders: 0 })
}
await miniflare.dispose()

const lite = new DatabaseSync(':memory:')
for (const statement of [...begin, ...rebuild]) lite.exec(statement)
expect('rows in node:sqlite, which follows the pragma', lite.prepare(counts).get(), { shops: 2, orders: 3 })
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs
