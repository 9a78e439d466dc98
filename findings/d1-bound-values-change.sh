#!/usr/bin/env bash
# Typed arrays, NaN and Infinity are bound to D1 without an error, as something else.
#
# What surprised: D1 takes any typed array, and stores one byte for each element, made by the rules of Uint8Array: a
# Float32Array (an embedding) of 0.5 and -2.5 is stored as the bytes 0 and 254, and 300 as 44. A DataView is an empty blob.
# NaN and Infinity are NULL, so that a failed calculation passes a check for missing values. Date, BigInt and arrays are
# refused; one expects the same here.
# Why it matters: the values are lost when they are written, and the write says that it went well.
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
    const bytes = new Uint8Array([1, 2, 3, 4])
    const values = {
      floats: new Float32Array([0.5, -2.5]),
      words: new Uint16Array([1, 300]),
      view: new DataView(bytes.buffer),
      buffer: bytes.buffer,
      'not a number': NaN,
      infinity: Infinity,
      date: new Date(0),
    }
    const seen = {}
    for (const [name, value] of Object.entries(values)) {
      const asked = env.DB.prepare('SELECT typeof(?1) AS type, hex(?1) AS hex')
      seen[name] = await (async () => Object.values(await asked.bind(value).first()).join(' '))().catch(() => 'refused')
    }
    return Response.json(seen)
  },
}`
const miniflare = new Miniflare(convertV4MiniflareOptions({
  modules: true,
  script: worker,
  compatibilityDate: '2026-10-01',
  d1Databases: ['DB'],
}))
const seen = await (await miniflare.dispatchFetch('http://local/')).json()
expect('a Float32Array of two numbers, eight bytes', seen.floats, 'blob 00FE')
expect('a Uint16Array of 1 and 300', seen.words, 'blob 012C')
expect('a DataView of four bytes', seen.view, 'blob ')
expect('the same bytes as an ArrayBuffer', seen.buffer, 'blob 01020304')
expect('NaN', seen['not a number'], 'null ')
expect('Infinity', seen.infinity, 'null ')
expect('a Date', seen.date, 'refused')
await miniflare.dispose()
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs
