#!/usr/bin/env bash
# supabase-js writes a Date or an object as JSON when it is inserted, and as JavaScript prints it when it is looked for.
#
# What surprised: `insert({ at: date })` sends 2026-01-02T03:04:05.000Z; `eq('at', date)` sends "Thu Jan 01 2026 22:04:05 GMT-0500
# (Eastern Standard Time)": without milliseconds, in the time zone of the process. An object for a JSON column is
# "[object Object]" in a filter. So is an object that is a function's argument when it is called by GET, while by POST it is
# JSON; null is the text null there.
# Why it matters: what was just written is not found by the same value; the types allow all of it, and whether the database
# understands the date depends on the machine that asks.
# Versions: @supabase/supabase-js 2.109.0.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "name": "finding", "private": true, "type": "module" }' > package.json
npm install --no-audit --no-fund --silent --save-exact @supabase/supabase-js@2.109.0 node@24.21.0 || exit 2
npm pkg get dependencies

cat > finding.mjs <<'JS'
import { createClient } from '@supabase/supabase-js'

let changed = false
/** Shows what was seen, and notes when it is not what this finding says. */
function expect(what, seen, described) {
  const [is, was] = [seen, described].map((value) => JSON.stringify(value))
  console.log(`${what}\n    ${is}`)
  if (is === was) return
  changed = true
  console.log(`    NOT AS DESCRIBED, which was ${was}`)
}
const asked = []
const supabase = createClient('http://local', 'key', {
  auth: { persistSession: false, autoRefreshToken: false },
  global: {
    fetch: async (url, { method = 'GET', body } = {}) => {
      asked.push({ method, url: new URL(url), body })
      return new Response('[]', { headers: { 'content-type': 'application/json' } })
    },
  },
})

const at = new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 678))
const sent = async (query) => {
  asked.length = 0
  await query
  return asked[0]
}
expect('a date, inserted', (await sent(supabase.from('t').insert({ at }))).body, '{"at":"2026-01-02T03:04:05.678Z"}')
expect('a date, looked for', (await sent(supabase.from('t').select().eq('at', at))).url.searchParams.get('at'),
  'eq.Thu Jan 01 2026 22:04:05 GMT-0500 (Eastern Standard Time)')
expect('an object, looked for', (await sent(supabase.from('t').select().eq('data', { a: 1 }))).url.searchParams.get('data'),
  'eq.[object Object]')
const call = { data: { a: 1 }, none: null }
expect('arguments by POST', (await sent(supabase.rpc('f', call))).body, '{"data":{"a":1},"none":null}')
const byGet = (await sent(supabase.rpc('f', call, { get: true }))).url.searchParams
expect('arguments by GET', Object.fromEntries(byGet), { data: '[object Object]', none: 'null' })
process.exitCode = changed ? 1 : 0
JS
TZ=America/New_York node_modules/node/bin/node finding.mjs
