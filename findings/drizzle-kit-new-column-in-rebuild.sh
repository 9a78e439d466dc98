#!/usr/bin/env bash
# A table that is rebuilt and gains a column: on D1 every row gets the column's own name as its value.
#
# What surprised: when one change makes a column NOT NULL and another adds a column, the migration copies the new column from
# the old table, in double quotes. SQLite, where it was built to take such names as text, finds no column and answers the name.
# D1 is built so: the migration succeeds, NOT NULL and DEFAULT are passed over, and an integer column holds text. node:sqlite
# is built the other way and refuses the same statement, so a test on it tells nothing of D1, and the other way round.
# Why it matters: data is wrong in every row, and nothing fails.
# Versions: drizzle-kit 0.31.11, drizzle-orm 0.45.4, Miniflare 5.20261102.0-beta, Node 24.21.0.
# Source: https://github.com/drizzle-team/drizzle-orm/issues/5360 (the text), seen here with D1 and with node:sqlite beside it.
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
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
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
const id = () => integer().primaryKey()
const before = await generateSQLiteDrizzleJson({ notes: sqliteTable('notes', { id: id(), title: text() }) })
const after = await generateSQLiteDrizzleJson({
  notes: sqliteTable('notes', { id: id(), title: text().notNull(), views: integer().notNull().default(0) }),
}, before.id)
const migration = await generateSQLiteMigration(before, after)
const rows = ['CREATE TABLE notes (id integer PRIMARY KEY NOT NULL, title text)', "INSERT INTO notes VALUES (1, 'a'), (2, 'b')"]
expect('what copies the rows', migration.find((one) => one.startsWith('INSERT')),
  'INSERT INTO `__new_notes`("id", "title", "views") SELECT "id", "title", "views" FROM `notes`;')

const miniflare = new Miniflare(convertV4MiniflareOptions({
  modules: true,
  script: 'export default {}',
  compatibilityDate: '2026-10-01',
  d1Databases: ['DB'],
}))
const d1 = await miniflare.getD1Database('DB')
for (const statement of [...rows, ...migration]) await d1.prepare(statement).run()
const { results } = await d1.prepare('SELECT views, typeof(views) AS type FROM notes').all()
expect('local D1, afterwards', results, [{ views: 'views', type: 'text' }, { views: 'views', type: 'text' }])
await miniflare.dispose()

for (const allowed of [false, true]) {
  const lite = new DatabaseSync(':memory:', { enableDoubleQuotedStringLiterals: allowed })
  for (const statement of rows) lite.exec(statement)
  let seen
  try {
    for (const statement of migration) lite.exec(statement)
    seen = lite.prepare('SELECT views FROM notes').all()
  } catch (error) {
    seen = /^no such column: "views"/.test(error.message) ? 'refused: no such column' : error.message
  }
  expect(`node:sqlite, double-quoted text ${allowed ? 'allowed' : 'as it is by default'}`, seen,
    allowed ? [{ views: 'views' }, { views: 'views' }] : 'refused: no such column')
}
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs
