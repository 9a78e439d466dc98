#!/usr/bin/env bash
# Every number that is bound to a D1 statement is a REAL, whole ones as well.
#
# What surprised: `bind(3)` puts '3.0' into a text column, and finds no '3' in it; `? || ' items'` says "3.0 items", 7 / 2 is 3.5,
# a JSON path made of a bound index is a malformed one, and json_object writes 3.0. Only a column of type INTEGER or NUMERIC
# makes it a whole number again. node:sqlite binds numbers in the same way, but has a way out, BigInt, which D1 refuses.
# Why it matters: statements that were tried with literals behave otherwise with parameters, and text columns that hold
# numbers of other systems fill up with ".0".
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
    const { text, values } = await request.json()
    try {
      return Response.json((await env.DB.prepare(text).bind(...values).all()).results)
    } catch (error) {
      return Response.json(error.message)
    }
  },
}`
const miniflare = new Miniflare(convertV4MiniflareOptions({
  modules: true,
  script: worker,
  compatibilityDate: '2026-10-01',
  d1Databases: ['DB'],
}))
async function ask(text, ...values) {
  const answer = await miniflare.dispatchFetch('http://local/', { method: 'POST', body: JSON.stringify({ text, values }) })
  return answer.json()
}

await ask('CREATE TABLE codes (code text)')
await ask("INSERT INTO codes VALUES ('3')")
await ask('INSERT INTO codes VALUES (?1)', 3)
expect('in a text column, beside a 3 that was written as text', await ask('SELECT code FROM codes'), [{ code: '3' }, { code: '3.0' }])
expect('found by the number', await ask('SELECT code FROM codes WHERE code = ?1', 3), [{ code: '3.0' }])
expect('found by a literal', await ask('SELECT code FROM codes WHERE code = 3'), [{ code: '3' }])
expect('joined to text', await ask("SELECT ?1 || ' items' AS words", 3), [{ words: '3.0 items' }])
expect('divided', await ask('SELECT 7 / ?1 AS bound, 7 / 2 AS literal', 2), [{ bound: 3.5, literal: 3 }])
expect('as an index in a JSON path', await ask(`SELECT json_extract('["a","b"]', '$[' || ?1 || ']') AS item`, 1),
  "D1_ERROR: bad JSON path: '$[1.0]': SQLITE_ERROR")
expect('in JSON', await ask("SELECT json_object('n', ?1) AS json", 3), [{ json: '{"n":3.0}' }])
expect('with a cast', await ask("SELECT CAST(?1 AS integer) || ' items' AS words", 3), [{ words: '3 items' }])
const { DatabaseSync } = await import('node:sqlite')
const typeOf = new DatabaseSync(':memory:').prepare('SELECT typeof(?1) AS type')
expect('node:sqlite, for 3 and 3n', [typeOf.get(3).type, typeOf.get(3n).type], ['real', 'integer'])
await miniflare.dispose()
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs
