#!/usr/bin/env bash
# A column with a reference that is added later has no ON DELETE and no ON UPDATE, and never gets them.
#
# What surprised: the same column is written with its actions when its table is new, and without them by ALTER TABLE. The
# snapshot notes them all the same, so the next comparison finds nothing to do: databases that were migrated and databases
# that were made anew differ for good.
# Why it matters: rows that should go with their parent stay or hold the parent back, on old databases only; tests run on new
# ones.
# Versions: drizzle-kit 0.31.11, drizzle-orm 0.45.4, Node 24.21.0.
# Source: https://github.com/drizzle-team/drizzle-orm/issues/5619
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
const owners = sqliteTable('owners', { id: integer().primaryKey() })
const without = sqliteTable('pets', { id: integer().primaryKey() })
const pets = sqliteTable('pets', {
  id: integer().primaryKey(),
  owner: integer().references(() => owners.id, { onDelete: 'cascade', onUpdate: 'set null' }),
})
const empty = await generateSQLiteDrizzleJson({})
const first = await generateSQLiteDrizzleJson({ owners, without }, empty.id)
const second = await generateSQLiteDrizzleJson({ owners, pets }, first.id)

async function actionsAfter(...steps) {
  const lite = new DatabaseSync(':memory:')
  for (const [from, to] of steps) {
    for (const statement of await generateSQLiteMigration(from, to)) lite.exec(statement)
  }
  const { on_delete, on_update } = lite.prepare("SELECT * FROM pragma_foreign_key_list('pets')").get()
  return { on_delete, on_update }
}

expect('made at once', await actionsAfter([empty, second]), { on_delete: 'CASCADE', on_update: 'SET NULL' })
expect('added later', await actionsAfter([empty, first], [first, second]), { on_delete: 'NO ACTION', on_update: 'NO ACTION' })
expect('the statement', await generateSQLiteMigration(first, second),
  ['ALTER TABLE `pets` ADD `owner` integer REFERENCES owners(id);'])
const third = await generateSQLiteDrizzleJson({ owners, pets }, second.id)
expect('what the next comparison would mend', await generateSQLiteMigration(second, third), [])
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs
