#!/usr/bin/env bash
# Expressions in indexes and checks are taken apart at commas and semicolons, and become names when their table is rebuilt.
#
# What surprised: between schema and SQL an index travels as one text, whose columns are joined by commas and whose parts by
# semicolons, and is split at them again, also inside of expressions and literals. That a column is an expression is known only
# while the index is new: once the table is rebuilt for another reason, the same index is written anew with its expression as a
# quoted name. So the first migration works, and a later one that has nothing to do with the index fails, when the old
# table is gone.
# Why it matters: the failing statement comes behind DROP TABLE; where migrations are not run in a transaction, the index
# (a unique one, too) is just missing from then on.
# Versions: drizzle-kit 0.31.11, drizzle-orm 0.45.4, Node 24.21.0 (its SQLite runs the statements).
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
import { check, index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

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
async function migrate(...versions) {
  const lite = new DatabaseSync(':memory:')
  const failed = []
  let known = empty
  for (const version of versions) {
    const next = await generateSQLiteDrizzleJson({ version }, known.id)
    for (const statement of await generateSQLiteMigration(known, next)) {
      try {
        lite.exec(statement)
      } catch {
        failed.push(statement.split('\n').find((line) => /INDEX|CHECK/.test(line)).trim())
      }
    }
    known = next
  }
  return failed
}

const people = (name) =>
  sqliteTable('people', { id: integer().primaryKey(), name }, (t) => [uniqueIndex('by_name').on(sql`lower(${t.name})`)])
expect('a unique index on lower(name), new', await migrate(people(text())), [])
expect('the same index, when name becomes NOT NULL', await migrate(people(text()), people(text().notNull())),
  ['CREATE UNIQUE INDEX `by_name` ON `people` (`lower("name")`);'])

const pairs = sqliteTable('pairs', { a: text(), b: text() }, (t) => [index('either').on(sql`coalesce(${t.a}, ${t.b})`)])
expect('an index on coalesce(a, b)', await migrate(pairs), ['CREATE INDEX `either` ON `pairs` (`coalesce("a"`,` "b")`);'])

const partial = sqliteTable('partial', { a: text() }, (t) => [index('some').on(t.a).where(sql`a <> 'x;y'`)])
expect('an index on some rows, with a semicolon in a literal', await migrate(partial),
  ["CREATE INDEX `some` ON `partial` (`a`) WHERE a <> 'x;"])

const checked = sqliteTable('checked', { a: text() }, () => [check('no_list', sql`a <> 'x;y'`)])
expect('a check with a semicolon in a literal', await migrate(checked), [`CONSTRAINT "no_list" CHECK(a <> 'x)`])
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs
