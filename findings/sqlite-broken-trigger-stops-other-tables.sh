#!/usr/bin/env bash
# A trigger whose body names what does not exist is taken, and from then on other tables cannot be altered.
#
# What surprised: CREATE TRIGGER looks at no name in the body, not even at columns of the table that it is on, while CREATE
# INDEX and CHECK do. It fails when a row is written. But also RENAME TO, RENAME COLUMN and DROP COLUMN of any table, of
# which the trigger knows nothing, fail with an error about the trigger; ADD COLUMN does not.
# Why it matters: a slip in one migration (or a table that was dropped under a trigger of another one) shows in a later
# migration, of something else. PRAGMA legacy_alter_table = ON gets past RENAME TO.
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
const run = (statement) => {
  try {
    lite.exec(statement)
    return 'done'
  } catch (error) {
    return error.message
  }
}

lite.exec('CREATE TABLE orders (id integer PRIMARY KEY); CREATE TABLE colours (name text, code text)')
expect('a trigger with a table and a column that are not there', run(`CREATE TRIGGER noted AFTER INSERT ON orders
  BEGIN INSERT INTO missing VALUES (new.absent); END`), 'done')
const complaint = 'error in trigger noted: no such column: new.absent'
expect('rename another table', run('ALTER TABLE colours RENAME TO shades'), complaint)
expect('rename its column', run('ALTER TABLE colours RENAME COLUMN code TO hex'), complaint)
expect('drop its column', run('ALTER TABLE colours DROP COLUMN code'), complaint)
expect('add a column', run('ALTER TABLE colours ADD COLUMN rank integer'), 'done')
lite.exec('PRAGMA legacy_alter_table = ON')
expect('rename it, the legacy way', run('ALTER TABLE colours RENAME TO shades'), 'done')
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs
