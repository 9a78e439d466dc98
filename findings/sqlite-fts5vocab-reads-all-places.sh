#!/usr/bin/env bash
# An FTS5 vocabulary of places (`fts5vocab`, type `instance`) reads every place of a word, also when the row is given.
#
# What surprised: the table has a column `doc`, and `WHERE term = ? AND doc = ?` asks for a handful of places in one row; it costs as many rows read
# as the word has places in all texts. Joined to the rows that a MATCH has found, it is read anew for each of them.
# Why it matters: D1 bills and bounds rows read. Who looks for words at a distance should read each word's places once, and sort them out then.
# Versions: miniflare 5.20261102.0-beta, with the workerd and SQLite that it brings.
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

const contents = `export default { async fetch(_, { DB }) {
  const run = (text) => DB.prepare(text).all()
  await DB.batch([
    'CREATE VIRTUAL TABLE texts USING fts5(body)',
    "CREATE VIRTUAL TABLE places USING fts5vocab('texts', 'instance')",
    "INSERT INTO texts (rowid, body) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i, 'the sea the shore ' || i FROM n",
  ].map((text) => DB.prepare(text)))
  const of = await run("SELECT offset FROM places WHERE term = 'the' AND doc = 7")
  const all = await run("SELECT offset FROM places WHERE term = 'the'")
  const joined = await run("SELECT offset FROM texts JOIN places ON places.doc = texts.rowid AND places.term = 'the' WHERE texts MATCH '7 OR 8'")
  return Response.json([of, all, joined].map(({ results, meta }) => [results.length, meta.rows_read]))
} }`
const modules = [{ type: 'ESModule', path: 'index.mjs', contents }]
const workers = [{ name: 'one', modules, compatibilityDate: '2026-01-01', d1Databases: { DB: 'db' } }]
const miniflare = new Miniflare(convertV4MiniflareOptions({ workers }))
const [of, all, joined] = await (await miniflare.dispatchFetch('http://one.test/')).json()
expect("places of a word in one row of 1000: rows answered, rows read", of, [2, 2000])
expect('in all rows', all, [2000, 2000])
expect('in the two rows that a MATCH has found', joined, [4, 4002])
await miniflare.dispose()
process.exit(changed ? 1 : 0)
JS
node_modules/.bin/node finding.mjs
