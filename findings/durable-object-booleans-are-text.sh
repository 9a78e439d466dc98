#!/usr/bin/env bash
# `true` as a parameter is the text 'true' in a Durable Object's SQLite, and 1 in D1.
#
# What surprised: both are the same SQLite in the same runtime, but D1 binds booleans as numbers, and `sql.exec` makes text of
# them, as of everything that it does not know: a Date becomes its English text. D1 refuses the Date. So a flag that
# is stored as 1 is found by `= ?` with true in D1, and never in a Durable Object; an integer column
# takes 'true' and keeps it as text.
# Why it matters: code that moves from D1 to a Durable Object (or has both, as caches and rate limits do) finds nothing, and
# fills columns with text, without an error.
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
const worker = `import { DurableObject } from 'cloudflare:workers'

export class Thing extends DurableObject {
  fetch() {
    const sql = this.ctx.storage.sql
    sql.exec('CREATE TABLE flags (active integer)')
    sql.exec('INSERT INTO flags VALUES (1)')
    sql.exec('INSERT INTO flags VALUES (?)', true)
    const date = sql.exec('SELECT typeof(?1) AS type, ?1 AS value', new Date(0)).one()
    return Response.json({
      bound: sql.exec('SELECT typeof(?1) AS type, ?1 AS value', true).one(),
      rows: sql.exec('SELECT active FROM flags').toArray(),
      found: sql.exec('SELECT count(*) AS n FROM flags WHERE active = ?', true).one().n,
      missed: sql.exec('SELECT count(*) AS n FROM flags WHERE active = 1').one().n,
      date: [date.type, date.value.slice(0, 15)],
    })
  }
}
export default {
  async fetch(request, env) {
    const object = await (await env.THING.get(env.THING.idFromName('one')).fetch(request)).json()
    await env.DB.exec('CREATE TABLE flags (active integer)')
    await env.DB.exec('INSERT INTO flags VALUES (1)')
    await env.DB.prepare('INSERT INTO flags VALUES (?)').bind(true).run()
    const d1 = {
      rows: (await env.DB.prepare('SELECT active FROM flags').all()).results,
      found: await env.DB.prepare('SELECT count(*) AS n FROM flags WHERE active = ?').bind(true).first('n'),
      date: await (async () => env.DB.prepare('SELECT ?').bind(new Date(0)).first())().catch(() => 'refused'),
    }
    return Response.json({ object, d1 })
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
const { object, d1 } = await (await miniflare.dispatchFetch('http://local/')).json()
expect('D1: a 1, and true', d1.rows, [{ active: 1 }, { active: 1 }])
expect('D1: found by true', d1.found, 2)
expect('D1: a Date', d1.date, 'refused')
expect('Durable Object: what true is', object.bound, { type: 'text', value: 'true' })
expect('Durable Object: a 1, and true', object.rows, [{ active: 1 }, { active: 'true' }])
expect('Durable Object: found by true, and by 1', [object.found, object.missed], [1, 1])
expect('Durable Object: a Date', object.date, ['text', 'Thu Jan 01 1970'])
await miniflare.dispose()
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs
