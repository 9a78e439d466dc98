#!/usr/bin/env bash
# After a rebuild an AUTOINCREMENT table gives out numbers again that it had given out before.
#
# What surprised: AUTOINCREMENT promises that no number comes twice, and keeps the greatest one in sqlite_sequence under the
# table's name. DROP TABLE takes that entry away; the copy that is renamed into the table's place has counted only the rows that
# were still there. The promise ends with a migration about another column.
# Why it matters: what was deleted may still be named elsewhere (files, logs, caches, tokens), and now names a new row.
# Versions: drizzle-kit 0.31.11, drizzle-orm 0.45.4, Node 24.21.0.
# Source: https://www.sqlite.org/autoinc.html says what is promised.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "name": "finding", "private": true, "type": "module" }' > package.json
npm install --no-audit --no-fund --silent --save-exact drizzle-kit@0.31.11 drizzle-orm@0.45.4 node@24.21.0 || exit 2
npm pkg get dependencies

cat > finding.mjs <<'JS'
import { DatabaseSync } from 'node:sqlite'
import { generateSQLiteDrizzleJson, generateSQLiteMigration } from 'drizzle-kit/api'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'

let changed = false
/** Shows what was seen, and notes when it is not what this finding says. */
function expect(what, seen, described) {
  const [is, was] = [seen, described].map((value) => JSON.stringify(value))
  console.log(`${what}\n    ${is}`)
  if (is === was) return
  changed = true
  console.log(`    NOT AS DESCRIBED, which was ${was}`)
}
const users = (name) => sqliteTable('users', { id: integer().primaryKey({ autoIncrement: true }), name })
const empty = await generateSQLiteDrizzleJson({})
const first = await generateSQLiteDrizzleJson({ users: users(text()) }, empty.id)
const second = await generateSQLiteDrizzleJson({ users: users(text().notNull()) }, first.id)

for (const isRebuilt of [false, true]) {
  const lite = new DatabaseSync(':memory:')
  for (const statement of await generateSQLiteMigration(empty, first)) lite.exec(statement)
  lite.exec("INSERT INTO users (name) VALUES ('a'), ('b'), ('c'); DELETE FROM users WHERE id > 1")
  if (isRebuilt) for (const statement of await generateSQLiteMigration(first, second)) lite.exec(statement)
  const { id } = lite.prepare("INSERT INTO users (name) VALUES ('d') RETURNING id").get()
  expect(`the number after 3, ${isRebuilt ? 'when the table was rebuilt' : 'of the table as it was'}`, id, isRebuilt ? 2 : 4)
}
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs
