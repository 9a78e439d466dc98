#!/usr/bin/env bash
# PRAGMA defer_foreign_keys = OFF in the middle of a transaction forgets the violations that are open, and the commit passes.
#
# What surprised: the pragma's documentation says when deferral ends by itself, at the commit, where open keys are counted. To end it by
# hand looks like the wish to have the rest checked at once; it also sets the count of what was deferred until then to zero. A row whose
# parent never comes is committed, and only PRAGMA foreign_key_check ever tells. Leaving the pragma alone refuses the same transaction.
# Why it matters: "defer, put rows in, stop deferring, delete the rest" is a natural way to write a batch; its first half is then checked by
# nobody, and a dangling row shows up later, far from the statement that made it.
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
const begin = [
  'CREATE TABLE parents (id integer PRIMARY KEY)',
  'CREATE TABLE children (id integer PRIMARY KEY, parent integer REFERENCES parents)',
]
const undeferred = [
  'PRAGMA defer_foreign_keys = ON',
  'INSERT INTO children VALUES (1, 99)',
  'PRAGMA defer_foreign_keys = OFF',
]
const open = (rows) => rows.map(({ table, rowid, parent }) => `${table} ${rowid} has no ${parent}`)

const lite = new DatabaseSync(':memory:')
for (const statement of [...begin, 'BEGIN', 'PRAGMA defer_foreign_keys = ON', 'INSERT INTO children VALUES (1, 99)']) lite.exec(statement)
let refused = null
try {
  lite.exec('COMMIT')
} catch (error) {
  refused = error.message
  lite.exec('ROLLBACK')
}
expect('SQLite, deferred until the commit', refused, 'FOREIGN KEY constraint failed')
for (const statement of ['BEGIN', ...undeferred, 'COMMIT']) lite.exec(statement)
expect('SQLite, deferral ended before it', open(lite.prepare('PRAGMA foreign_key_check').all()), [
  'children 1 has no parents',
])

const miniflare = new Miniflare(convertV4MiniflareOptions({
  modules: true,
  script: 'export default {}',
  compatibilityDate: '2026-10-01',
  d1Databases: ['DB'],
}))
const d1 = await miniflare.getD1Database('DB')
for (const statement of begin) await d1.prepare(statement).run()
await d1.batch(undeferred.map((statement) => d1.prepare(statement)))
const { results } = await d1.prepare('PRAGMA foreign_key_check').all()
expect('D1, the same in a batch', open(results), ['children 1 has no parents'])
await miniflare.dispose()
process.exit(changed ? 1 : 0)
JS
node_modules/.bin/node finding.mjs
