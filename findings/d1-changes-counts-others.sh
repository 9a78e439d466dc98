#!/usr/bin/env bash
# `meta.changes` of D1 counts what triggers and cascades have written, and `meta.last_row_id` belongs to whoever wrote last.
#
# What surprised: SQLite's changes() leaves triggers and cascades out; D1 answers with how much the total has grown. An update of one row
# with a trigger that writes three says 4; a delete of one row with two children says 3. `last_row_id` is that of the
# connection: a SELECT and an INSERT that did nothing answer with the row that another request, of another table, made before.
# Why it matters: "exactly one row has changed", as optimistic locking asks, is false as soon as somebody adds a trigger (an
# audit log, a full-text index), and an id from `last_row_id` may name nothing of one's own.
# Versions: Miniflare 5.20261102.0-beta, Node 24.21.0.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "name": "finding", "private": true, "type": "module" }' > package.json
npm install --no-audit --no-fund --silent --save-exact miniflare@5.20261102.0-beta node@24.21.0 || exit 2
npm pkg get dependencies

cat > finding.mjs <<'JS'
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
const worker = `export default {
  async fetch(request, env) {
    const meta = (text) => env.DB.prepare(text).run().then((answer) => answer.meta)
    const statements = [
      'CREATE TABLE stock (id integer PRIMARY KEY, n integer)',
      'CREATE TABLE audit (what text)',
      "CREATE TRIGGER noted AFTER UPDATE ON stock BEGIN INSERT INTO audit VALUES ('a'), ('b'), ('c'); END",
      'CREATE TABLE parents (id integer PRIMARY KEY)',
      'CREATE TABLE children (parent integer REFERENCES parents ON DELETE CASCADE)',
      'INSERT INTO stock VALUES (1, 5)',
      'INSERT INTO parents VALUES (1)',
      'INSERT INTO children VALUES (1), (1)',
    ]
    for (const statement of statements) await env.DB.prepare(statement).run()
    const plain = (await env.DB.batch(['UPDATE stock SET n = 4', 'SELECT changes() AS n'].map((one) => env.DB.prepare(one))))[1].results[0].n
    return Response.json({
      plain,
      trigger: (await meta('UPDATE stock SET n = 3')).changes,
      cascade: (await meta('DELETE FROM parents')).changes,
      other: (await meta('INSERT INTO audit (rowid, what) VALUES (4711, 1)')).last_row_id,
      nothing: await meta('INSERT INTO stock VALUES (1, 1) ON CONFLICT DO NOTHING').then((m) => [m.changes, m.last_row_id]),
    })
  },
}`
const miniflare = new Miniflare(convertV4MiniflareOptions({
  modules: true,
  script: worker,
  compatibilityDate: '2026-10-01',
  d1Databases: ['DB'],
}))
const seen = await (await miniflare.dispatchFetch('http://local/')).json()
expect("one row updated, SQLite's changes()", seen.plain, 1)
expect('the same, meta.changes', seen.trigger, 4)
expect('one row deleted, with two children, meta.changes', seen.cascade, 3)
expect('last_row_id of an insert into another table', seen.other, 4711)
expect('changes and last_row_id of an insert that did nothing', seen.nothing, [0, 4711])
await miniflare.dispose()
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs
