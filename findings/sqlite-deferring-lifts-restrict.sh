#!/usr/bin/env bash
# With PRAGMA defer_foreign_keys, ON DELETE RESTRICT does not restrict.
#
# What surprised: RESTRICT differs from NO ACTION in that it refuses at once, also when the constraint is declared DEFERRABLE
# INITIALLY DEFERRED. The pragma, which is said to make all constraints deferred, takes that difference away: the parent is
# deleted, and may be put back with other values before the commit.
# Why it matters: on D1 the pragma is the one switch that there is, and every batch may set it; RESTRICT protects nothing from
# such a batch but at its end.
# Versions: Node 24.21.0 with SQLite 3.53.4.
# Source: https://www.sqlite.org/foreignkeys.html (4.3, on RESTRICT and deferred constraints) does not mention the pragma there.
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

lite.exec('CREATE TABLE parents (id integer PRIMARY KEY, name text)')
lite.exec(`CREATE TABLE children
  (parent integer REFERENCES parents ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED)`)
lite.exec("INSERT INTO parents VALUES (1, 'old'); INSERT INTO children VALUES (1)")

lite.exec('BEGIN')
expect('a constraint that is declared deferred', run('DELETE FROM parents'), 'FOREIGN KEY constraint failed')
lite.exec('ROLLBACK')

lite.exec('BEGIN; PRAGMA defer_foreign_keys = ON')
expect('with the pragma', run('DELETE FROM parents'), 'done')
expect('another parent in its place', run("INSERT INTO parents VALUES (1, 'new')"), 'done')
expect('the commit', run('COMMIT'), 'done')
expect('what the child has now', lite.prepare('SELECT name FROM children JOIN parents ON id = parent').get().name, 'new')
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs
