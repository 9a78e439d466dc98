#!/usr/bin/env bash
# supabase-js asks for other values than it was given when they contain commas or quotes.
#
# What surprised: `contains`, `containedBy` and `overlaps` join the elements of an array by commas and quote none, so
# overlaps('tags', ['a,b']) asks for 'a' or 'b', and contains asks for two elements. `in` does quote values with commas, but does not
# escape the quotes inside of them: of the value `a",b` the end is sent outside of the quotes. And a value with a quote and
# without a comma is sent bare.
# Why it matters: the answer is not an error but other rows; with values that users type, they can widen a filter.
# Versions: @supabase/supabase-js 2.109.0.
# Source: https://github.com/supabase/supabase-js/issues/2669 on arrays.
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

async function filter(build) {
  asked.length = 0
  await build(supabase.from('notes').select())
  return asked[0].url.searchParams.get('tags')
}
expect("overlaps ['a,b']", await filter((query) => query.overlaps('tags', ['a,b'])), 'ov.{a,b}')
expect("contains ['a,b', 'c']", await filter((query) => query.contains('tags', ['a,b', 'c'])), 'cs.{a,b,c}')
expect("contains ['']", await filter((query) => query.contains('tags', [''])), 'cs.{}')
expect("in ['a,b', 'c']", await filter((query) => query.in('tags', ['a,b', 'c'])), 'in.("a,b",c)')
expect('in [\'a",b\', \'c\']', await filter((query) => query.in('tags', ['a",b', 'c'])), 'in.("a",b",c)')
expect('in [\'a"b\']', await filter((query) => query.in('tags', ['a"b'])), 'in.(a"b)')
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs
