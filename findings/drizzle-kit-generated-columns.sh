#!/usr/bin/env bash
# A stored generated column is left out of the migration and noted as made; a table with any generated column cannot be rebuilt.
#
# What surprised: SQLite cannot add a stored generated column to a table, so the migration is empty but for a line on the
# terminal. The snapshot has the column, and the next comparison finds nothing to do: it is never made. And a rebuild, which
# could make it, names generated columns in its INSERT, virtual ones as well, which SQLite refuses: from the first such column
# on, no change that needs a rebuild (NOT NULL, a default, a check, a key) can be migrated at all.
# Why it matters: queries that Drizzle types as right fail in production, on tables that pass every check of the schema.
# Versions: drizzle-kit 0.31.11, drizzle-orm 0.45.4, Node 24.21.0.
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
import { sql } from 'drizzle-orm'
import { integer, sqliteTable } from 'drizzle-orm/sqlite-core'

let changed = false
/** Shows what was seen, and notes when it is not what this finding says. */
function expect(what, seen, described) {
  const [is, was] = [seen, described].map((value) => JSON.stringify(value))
  console.log(`${what}\n    ${is}`)
  if (is === was) return
  changed = true
  console.log(`    NOT AS DESCRIBED, which was ${was}`)
}
const empty = await generateSQLiteDrizzleJson({})
const boxes = (columns) => ({ boxes: sqliteTable('boxes', { side: integer(), ...columns }) })
const doubled = (mode) => integer().generatedAlwaysAs(sql`side * 2`, { mode })

const plain = await generateSQLiteDrizzleJson(boxes({}), empty.id)
const stored = await generateSQLiteDrizzleJson(boxes({ twice: doubled('stored') }), plain.id)
const again = await generateSQLiteDrizzleJson(boxes({ twice: doubled('stored') }), stored.id)
expect('statements that add a stored column', (await generateSQLiteMigration(plain, stored)).filter((one) => one !== ''), [])
expect('the snapshot has it', 'twice' in stored.tables.boxes.columns, true)
expect('what the next comparison would mend', await generateSQLiteMigration(stored, again), [])

const virtual = await generateSQLiteDrizzleJson(boxes({ twice: doubled('virtual') }), empty.id)
const strict = await generateSQLiteDrizzleJson({
  boxes: sqliteTable('boxes', { side: integer().notNull(), twice: doubled('virtual') }),
}, virtual.id)
const lite = new DatabaseSync(':memory:')
for (const statement of await generateSQLiteMigration(empty, virtual)) lite.exec(statement)
let seen = 'done'
try {
  for (const statement of await generateSQLiteMigration(virtual, strict)) lite.exec(statement)
} catch (error) {
  seen = error.message
}
expect('a rebuild of a table with a virtual column', seen, 'cannot INSERT into generated column "twice"')
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs
