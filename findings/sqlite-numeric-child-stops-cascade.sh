#!/usr/bin/env bash
# One child with a numeric foreign key, and ON DELETE CASCADE no longer reaches another child's rows.
#
# What surprised: two tables refer to the same text column. Deleting '0421' looks for rows of the numeric child first, for which the
# value is made the number 421; the next child is then asked for 421 as well, has '0421', and keeps its rows. No error is
# raised: the rows refer to nothing from then on, as foreign_key_check says. The numeric child needs an index on its key, and no rows.
# Why it matters: a key's type is changed in one of several tables, and deletions elsewhere leave rows behind in silence.
# Versions: Node 24.21.0 with SQLite 3.53.4.
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
lite.exec(`CREATE TABLE parents (code text NOT NULL UNIQUE);
  CREATE TABLE children (parent text REFERENCES parents (code) ON DELETE CASCADE)`)
const left = () => {
  lite.exec("INSERT INTO parents VALUES ('0421'); INSERT INTO children VALUES ('0421'); DELETE FROM parents")
  return lite.prepare('SELECT parent FROM children').all().map(({ parent }) => parent)
}

expect('children left when their parent goes', left(), [])
lite.exec('CREATE TABLE numeric_children (parent numeric PRIMARY KEY REFERENCES parents (code) ON DELETE CASCADE)')
expect('the same, beside an empty table with a numeric key', left(), ['0421'])
expect('what foreign_key_check finds', lite.prepare('PRAGMA foreign_key_check').all().map(({ table }) => table), ['children'])
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs
