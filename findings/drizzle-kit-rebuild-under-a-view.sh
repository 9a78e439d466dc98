#!/usr/bin/env bash
# A rebuild of a table that a view reads fails halfway: the table is gone, and its rows lie under another name.
#
# What surprised: Drizzle knows the view, but rebuilds the table under it as if there were none. Once the old table is dropped,
# SQLite refuses the RENAME that ends the rebuild, since the view reads a table that is not there. Without a transaction
# all that came before stays: no `prices`, and its rows in `__new_prices`. A second try fails at CREATE TABLE.
# Why it matters: the view is part of the same schema, so nothing unusual was done; the app is down until somebody renames
# the table by hand.
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
import { integer, sqliteTable, sqliteView } from 'drizzle-orm/sqlite-core'

let changed = false
/** Shows what was seen, and notes when it is not what this finding says. */
function expect(what, seen, described) {
  const [is, was] = [seen, described].map((value) => JSON.stringify(value))
  console.log(`${what}\n    ${is}`)
  if (is === was) return
  changed = true
  console.log(`    NOT AS DESCRIBED, which was ${was}`)
}
function schema(amount) {
  const prices = sqliteTable('prices', { id: integer().primaryKey(), amount })
  return { prices, shown: sqliteView('shown').as((query) => query.select().from(prices)) }
}
const empty = await generateSQLiteDrizzleJson({})
const first = await generateSQLiteDrizzleJson(schema(integer()), empty.id)
const second = await generateSQLiteDrizzleJson(schema(integer().notNull()), first.id)

const lite = new DatabaseSync(':memory:')
const run = (statements) => {
  for (const statement of statements) {
    try {
      lite.exec(statement)
    } catch (error) {
      return error.message
    }
  }
  return 'done'
}
run(await generateSQLiteMigration(empty, first))
lite.exec('INSERT INTO prices VALUES (1, 5), (2, 7)')
const rebuild = await generateSQLiteMigration(first, second)
expect('statements about the view', rebuild.filter((one) => /VIEW/.test(one)), [])
expect('the migration', run(rebuild), 'error in view shown: no such table: main.prices')
expect('what is there then', lite.prepare('SELECT type, name FROM sqlite_master ORDER BY type').all(),
  [{ type: 'table', name: '__new_prices' }, { type: 'view', name: 'shown' }])
expect('a second try', run(rebuild), 'table `__new_prices` already exists')
expect('rows under the other name', lite.prepare('SELECT count(*) AS n FROM __new_prices').get().n, 2)
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs
