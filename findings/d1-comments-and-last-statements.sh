#!/usr/bin/env bash
# D1 names a column with the comment behind it, takes a comment behind a semicolon for a missing statement, and answers only
# with the last of several statements.
#
# What surprised: SQLite names a column that has no name by its text, up to the end of the statement, so a comment that some
# tool appends (a trace, a route) changes the key of the answer. Behind a semicolon the same comment is an error, since what
# counts is what follows the last semicolon: `first; second` runs both and answers the second one only. A first one that
# has RETURNING is not run to its end, so that what follows fails with "internal error", and neither is done.
# Why it matters: tools that tag statements with comments, or send several of them, work with other databases.
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

expect('a comment at the end', await ask('SELECT 1 + 1 -- from the shop'), [{ '1 + 1 -- from the shop': 2 }])
expect('with a name it is passed over', await ask('SELECT 1 + 1 AS two -- from the shop'), [{ two: 2 }])
expect('behind a semicolon', await ask('SELECT 1 AS one; -- from the shop'),
  'D1_ERROR: SQL code did not contain a statement.')
expect('a semicolon and white space', await ask('SELECT 1 AS one; \n'), [{ one: 1 }])
await ask('CREATE TABLE t (a)')
expect('two statements', await ask('INSERT INTO t VALUES (1); INSERT INTO t VALUES (2) RETURNING a'), [{ a: 2 }])
expect('both were run', await ask('SELECT a FROM t'), [{ a: 1 }, { a: 2 }])
const failed = await ask('INSERT INTO t VALUES (3) RETURNING a; INSERT INTO t VALUES (4)')
expect('when the first has RETURNING', String(failed).split(';')[0], 'internal error')
expect('neither was run', await ask('SELECT count(*) AS n FROM t WHERE a > 2'), [{ n: 0 }])
await miniflare.dispose()
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs 2> runtime.txt || { cat runtime.txt >&2; exit 1; }
