#!/usr/bin/env bash
# A parent table that is dropped and replaced within a transaction by RENAME: no key is violated, and the commit fails.
#
# What surprised: with deferred foreign keys, DROP TABLE counts a violation for each child, and the count goes down only when
# a matching row is inserted. A table of the same name with the same rows that comes by RENAME settles nothing, nor does an
# update of its rows. PRAGMA foreign_key_check finds no violation, and COMMIT fails all the same. A new table of the final
# name that is filled by INSERT after the DROP is taken.
# Why it matters: this is the order in which rebuilds of tables are commonly written (SQLite's own instructions have it with
# foreign keys off), and where they cannot be switched off, as on D1, deferring them is what is left.
# Versions: Node 24.21.0 with SQLite 3.53.4.
# Source: https://www.sqlite.org/foreignkeys.html (section 5) and https://www.sqlite.org/lang_altertable.html (section 7).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "name": "finding", "private": true, "type": "module" }' > package.json
npm install --no-audit --no-fund --silent --save-exact node@24.21.0 || exit 2
npm pkg get dependencies

cat > finding.mjs <<'JS'
import { DatabaseSync } from 'node:sqlite'

let changed = false
/** Shows what was seen, and notes when it is not what this finding says. */
function expect(what, seen, described) {
  const [is, was] = [seen, described].map((value) => JSON.stringify(value))
  console.log(`${what}\n    ${is}`)
  if (is === was) return
  changed = true
  console.log(`    NOT AS DESCRIBED, which was ${was}`)
}
console.log(`SQLite ${process.versions.sqlite}`)
const lite = new DatabaseSync(':memory:')
const run = (statement) => {
  try {
    lite.exec(statement)
    return 'done'
  } catch (error) {
    return error.message
  }
}

lite.exec('CREATE TABLE parents (id integer PRIMARY KEY, name text); CREATE TABLE children (parent integer REFERENCES parents)')
lite.exec("INSERT INTO parents VALUES (1, 'a'), (2, 'b'); INSERT INTO children VALUES (1), (2)")

function within(...statements) {
  lite.exec('BEGIN; PRAGMA defer_foreign_keys = ON')
  for (const statement of statements) lite.exec(statement)
  const found = lite.prepare('PRAGMA foreign_key_check').all().length
  const commit = run('COMMIT')
  if (lite.isTransaction) lite.exec('ROLLBACK')
  return { found, commit }
}
const columns = '(id integer PRIMARY KEY, name text)'
const copy = [`CREATE TABLE fresh ${columns}`, 'INSERT INTO fresh SELECT * FROM parents', 'DROP TABLE parents']
const rename = 'ALTER TABLE fresh RENAME TO parents'
const failed = { found: 0, commit: 'FOREIGN KEY constraint failed' }
expect('copied, dropped, renamed', within(...copy, rename), failed)
expect('the same, and rows updated', within(...copy, rename, 'UPDATE parents SET id = id, name = name'), failed)
expect('copied, dropped, made anew and filled',
  within(...copy, `CREATE TABLE parents ${columns}`, 'INSERT INTO parents SELECT id, name FROM fresh', 'DROP TABLE fresh'),
  { found: 0, commit: 'done' })
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs
