#!/usr/bin/env bash
# A rebuild changes literals inside of CHECK constraints when they contain the table's name and a dot.
#
# What surprised: while a table is rebuilt it has another name, so its name and a dot are replaced by that name in all of its
# checks, as plain text: in the middle of longer words, and in literals. RENAME then puts names right, but no literals. A table
# `log` with a check about 'blog.draft' comes out with a check about 'b__new_log.draft'.
# Why it matters: the rule is gone without an error, and another one that nobody wrote is in force. The snapshot has the
# right text, so no later migration mends it.
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
import { check, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'

let changed = false
/** Shows what was seen, and notes when it is not what this finding says. */
function expect(what, seen, described) {
  const [is, was] = [seen, described].map((value) => JSON.stringify(value))
  console.log(`${what}\n    ${is}`)
  if (is === was) return
  changed = true
  console.log(`    NOT AS DESCRIBED, which was ${was}`)
}
const log = (size) =>
  sqliteTable('log', { id: integer().primaryKey(), kind: text(), size }, () => [check('no_drafts', sql`kind <> 'blog.draft'`)])
const empty = await generateSQLiteDrizzleJson({})
const first = await generateSQLiteDrizzleJson({ log: log(integer()) }, empty.id)
const second = await generateSQLiteDrizzleJson({ log: log(integer().notNull()) }, first.id)

const lite = new DatabaseSync(':memory:')
const answer = (kind) => {
  try {
    lite.prepare('INSERT INTO log (kind, size) VALUES (?, 1)').run(kind)
    return 'taken'
  } catch (error) {
    return error.message
  }
}
for (const statement of await generateSQLiteMigration(empty, first)) lite.exec(statement)
expect('a draft, before', answer('blog.draft'), 'CHECK constraint failed: no_drafts')
for (const statement of await generateSQLiteMigration(first, second)) lite.exec(statement)
expect('a draft, after another column became NOT NULL', answer('blog.draft'), 'taken')
expect('what is refused instead', answer('b__new_log.draft'), 'CHECK constraint failed: no_drafts')
const third = await generateSQLiteDrizzleJson({ log: log(integer().notNull()) }, second.id)
expect('what the next comparison would mend', await generateSQLiteMigration(second, third), [])
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs
