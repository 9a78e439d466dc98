#!/usr/bin/env bash
# Whether a left-joined row is there is read off the first of its columns that is selected.
#
# What surprised: with `select({ person, pet: { nickname, name } })` a pet that has a name and no nickname comes as `pet: null`,
# as if there were none. With the two columns written in the other order the same row is there. The order of keys in an
# object decides.
# Why it matters: rows vanish from answers when a column that may be null is put first, or is set to null; the statement is
# right, and the database has answered both values.
# Versions: drizzle-orm 0.45.4, Node 24.21.0 (its SQLite behind drizzle-orm/sqlite-proxy).
# Source: https://github.com/drizzle-team/drizzle-orm/issues/1603
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "name": "finding", "private": true, "type": "module" }' > package.json
npm install --no-audit --no-fund --silent --save-exact drizzle-orm@0.45.4 node@24.21.0 || exit 2
npm pkg get dependencies

cat > finding.mjs <<'JS'
import { DatabaseSync } from 'node:sqlite'
import { eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/sqlite-proxy'
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
const lite = new DatabaseSync(':memory:')
lite.exec('CREATE TABLE people (id integer PRIMARY KEY, pet integer)')
lite.exec('CREATE TABLE pets (id integer PRIMARY KEY, nickname text, name text)')
lite.exec("INSERT INTO pets VALUES (7, NULL, 'Rex'); INSERT INTO people VALUES (1, 7)")
const people = sqliteTable('people', { id: integer().primaryKey(), pet: integer() })
const pets = sqliteTable('pets', { id: integer().primaryKey(), nickname: text(), name: text() })
const db = drizzle((statement, parameters) => {
  const prepared = lite.prepare(statement)
  prepared.setReturnArrays(true)
  return Promise.resolve({ rows: prepared.all(...parameters) })
})
const ask = (pet) => db.select({ person: people.id, pet }).from(people).leftJoin(pets, eq(people.pet, pets.id))

expect('nickname first', await ask({ nickname: pets.nickname, name: pets.name }), [{ person: 1, pet: null }])
expect('name first', await ask({ name: pets.name, nickname: pets.nickname }),
  [{ person: 1, pet: { name: 'Rex', nickname: null } }])
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs
