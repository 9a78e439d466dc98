#!/usr/bin/env bash
# INSERT INTO parents SELECT * FROM copy makes the commit fail; the same with the columns' names, or with ORDER BY, does not.
#
# What surprised: rows that are put back into a parent table settle the violations that deleting them has counted, unless they come
# by `SELECT *` from a table with the same columns. SQLite then moves whole records and passes the counting over: it refrains from
# this shortcut for tables that refer to others, and not for tables that others refer to. Anything that is not quite `SELECT *`
# (names of columns, ORDER BY, WHERE true) takes the long way. PRAGMA foreign_key_check finds nothing in either case.
# Why it matters: two statements that mean the same decide whether a migration can be committed; on D1, where keys can only be
# deferred, the failure is an "internal error" that names no key at all.
# Versions: Node 24.21.0 with SQLite 3.53.4; local D1 of Miniflare 5.20261102.0-beta.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "name": "finding", "private": true, "type": "module" }' > package.json
npm install --no-audit --no-fund --silent --save-exact miniflare@5.20261102.0-beta node@24.21.0 || exit 2
npm pkg get dependencies

cat > finding.mjs <<'JS'
import { DatabaseSync } from 'node:sqlite'
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
console.log(`SQLite ${process.versions.sqlite}`)
const columns = '(id integer PRIMARY KEY, name text)'
const begin = [
  `CREATE TABLE parents ${columns}`,
  'CREATE TABLE children (parent integer REFERENCES parents)',
  "INSERT INTO parents VALUES (1, 'a'), (2, 'b')",
  'INSERT INTO children VALUES (1), (2)',
]
const steps = (select) => [
  'PRAGMA defer_foreign_keys = ON',
  `CREATE TABLE copy ${columns}`,
  'INSERT INTO copy SELECT * FROM parents',
  'DELETE FROM parents',
  `INSERT INTO parents ${select}`,
  'DROP TABLE copy',
]
const lite = new DatabaseSync(':memory:')
for (const statement of begin) lite.exec(statement)
const miniflare = new Miniflare(convertV4MiniflareOptions({
  modules: true,
  script: 'export default {}',
  compatibilityDate: '2026-10-01',
  d1Databases: ['DB'],
}))
const d1 = await miniflare.getD1Database('DB')
for (const statement of begin) await d1.prepare(statement).run()

for (const [select, passes] of [
  ['SELECT * FROM copy', false],
  ['SELECT id, name FROM copy', true],
  ['SELECT * FROM copy ORDER BY id', true],
  ['SELECT * FROM copy WHERE true', true],
]) {
  let seen = 'done'
  lite.exec('BEGIN')
  for (const statement of steps(select)) lite.exec(statement)
  const found = lite.prepare('PRAGMA foreign_key_check').all().length
  try {
    lite.exec('COMMIT')
  } catch (error) {
    seen = error.message
    lite.exec('ROLLBACK')
  }
  expect(`node:sqlite: INSERT INTO parents ${select}`, { found, commit: seen },
    { found: 0, commit: passes ? 'done' : 'FOREIGN KEY constraint failed' })
  const batch = d1.batch(steps(select).map((one) => d1.prepare(one)))
  expect('the same batch on local D1', await batch.then(() => 'done', (error) => error.message.split(';')[0]),
    passes ? 'done' : 'internal error')
}
await miniflare.dispose()
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs 2> runtime.txt || { cat runtime.txt >&2; exit 1; }
