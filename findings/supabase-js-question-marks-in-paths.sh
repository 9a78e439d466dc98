#!/usr/bin/env bash
# supabase-js stores a file whose name has a question mark under a shorter name, and removes it under the right one.
#
# What surprised: names of files are put into the address as they are. Storage allows `?` in names, and it begins a query: upload,
# download, exists and getPublicUrl of `q/what?.pdf` are about `q/what`. `remove`, which sends its names in a body, means the
# file of the full name, and so does not touch what was uploaded. getPublicUrl does encode spaces and umlauts, which looks as
# if it encoded what has to be.
# Why it matters: two names that differ behind the question mark are one file, and the second upload fails or replaces the first.
# Versions: @supabase/supabase-js 2.109.0.
# Source: https://github.com/supabase/supabase-js/pull/2576 (open) says which names Storage takes.
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

const files = supabase.storage.from('docs')
const name = 'q/what?.pdf'
async function path(call) {
  asked.length = 0
  await call()
  return `${asked[0].method} ${asked[0].url.pathname}`
}
expect('upload', await path(() => files.upload(name, 'x')), 'POST /storage/v1/object/docs/q/what')
expect('download', await path(() => files.download(name)), 'GET /storage/v1/object/docs/q/what')
expect('exists', await path(() => files.exists(name)), 'HEAD /storage/v1/object/docs/q/what')
expect('its public address', new URL(files.getPublicUrl(name).data.publicUrl).pathname, '/storage/v1/object/public/docs/q/what')
expect('the public address of "a b ü"', new URL(files.getPublicUrl('a b ü').data.publicUrl).pathname,
  '/storage/v1/object/public/docs/a%20b%20%C3%BC')
await path(() => files.remove([name]))
expect('remove', [asked[0].url.pathname, asked[0].body], ['/storage/v1/object/docs', '{"prefixes":["q/what?.pdf"]}'])
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs
