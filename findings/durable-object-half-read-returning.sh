#!/usr/bin/env bash
# Rows of RETURNING that nobody reads to the end undo all that a Durable Object has written in that turn.
#
# What surprised: `const [row] = sql.exec('INSERT ... RETURNING ...')`, or no look at the answer at all, leaves the cursor
# open when there is more than one row. The write is done by then, and the code goes on; but the commit that the runtime makes
# afterwards fails ("SQL statements in progress", told on the server only). The client gets "internal error", and everything
# of that turn is gone, even a table that was made before. A SELECT that is left half read does no harm.
# Why it matters: the statement, the loop and the answer are all right; what fails is the commit, later, and for
# statements that happen to return two rows instead of one.
# Versions: Miniflare 5.20261102.0-beta, Node 24.21.0. Nothing crashes: the object is begun anew, as after any failed commit.
# Source: https://github.com/cloudflare/workerd/issues/959 (unused cursors), which does not tell of RETURNING.
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
const worker = `import { DurableObject } from 'cloudflare:workers'

export class Thing extends DurableObject {
  fetch(request) {
    const sql = this.ctx.storage.sql
    const isThere = () => sql.exec("SELECT count(*) AS n FROM sqlite_master WHERE name = 'items'").one().n === 1
    const ways = {
      destructured: () => { const [row] = sql.exec('INSERT INTO items VALUES (1), (2) RETURNING n'); return row },
      unread: () => { sql.exec('INSERT INTO items VALUES (1), (2) RETURNING n'); return 'written' },
      whole: () => sql.exec('INSERT INTO items VALUES (1), (2) RETURNING n').toArray(),
      single: () => { const [row] = sql.exec('INSERT INTO items VALUES (1) RETURNING n'); return row },
      select: () => { sql.exec('INSERT INTO items VALUES (1), (2)'); const [row] = sql.exec('SELECT n FROM items'); return row },
    }
    const way = new URL(request.url).pathname.slice(1)
    if (way === 'rows') return Response.json(isThere() ? sql.exec('SELECT n FROM items').toArray().length : 'no table')
    sql.exec('CREATE TABLE items (n)')
    return Response.json(ways[way]())
  }
}
export default {
  async fetch(request, env) {
    const seen = {}
    for (const way of ['destructured', 'unread', 'whole', 'single', 'select']) {
      const ask = async (path) => {
        const object = env.THING.get(env.THING.idFromName(way))
        return (await object.fetch('http://object/' + path)).json()
      }
      const answer = await ask(way).catch((error) => error.message.split(';')[0])
      seen[way] = { answer, rows: await ask('rows') }
    }
    return Response.json(seen)
  },
}
`
const miniflare = new Miniflare(convertV4MiniflareOptions({
  modules: true,
  script: worker,
  compatibilityDate: '2026-10-01',
  d1Databases: ['DB'],
  durableObjects: { THING: { className: 'Thing', useSQLite: true } },
}))
const seen = await (await miniflare.dispatchFetch('http://local/')).json()
expect('two rows, of which one is taken', seen.destructured, { answer: 'internal error', rows: 'no table' })
expect('two rows, of which none is looked at', seen.unread, { answer: 'internal error', rows: 'no table' })
expect('two rows, read to the end', seen.whole, { answer: [{ n: 1 }, { n: 2 }], rows: 2 })
expect('one row', seen.single, { answer: { n: 1 }, rows: 1 })
expect('a SELECT, half read', seen.select, { answer: { n: 1 }, rows: 2 })
await miniflare.dispose()
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs 2> runtime.txt || { cat runtime.txt >&2; exit 1; }
