#!/usr/bin/env bash
# http-cache-semantics answers a POST with what another POST was told, and a GET not.
#
# What surprised: an answer to a POST may be stored when it says how long it is fresh, for GETs that come later; a POST must always
# reach the origin. The library does the opposite: the stored answer matches the next POST, whatever its body (a policy knows no
# bodies), and does not match a GET.
# Why it matters: whoever asks `storable()` and `satisfiesWithoutRevalidation()` for all methods, as the interface invites to,
# serves one search or one order's receipt for another, and the second order never arrives.
# Versions: http-cache-semantics 4.3.0.
# Source: RFC 9110, 9.3.3, on POST.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "name": "finding", "private": true, "type": "module" }' > package.json
npm install --no-audit --no-fund --silent --save-exact http-cache-semantics@4.3.0 || exit 2
npm pkg get dependencies

cat > finding.mjs <<'JS'
import CachePolicy from 'http-cache-semantics'

let changed = false
/** Shows what was seen, and notes when it is not what this finding says. */
function expect(what, seen, described) {
  const [is, was] = [seen, described].map((value) => JSON.stringify(value))
  console.log(`${what}\n    ${is}`)
  if (is === was) return
  changed = true
  console.log(`    NOT AS DESCRIBED, which was ${was}`)
}
const ask = (method = 'GET', headers = {}) => ({ url: '/', method, headers })
const ago = (seconds) => new Date(Date.now() - seconds * 1000).toUTCString()
const answer = (headers) => ({ status: 200, headers })

const policy = new CachePolicy(ask('POST', { 'content-length': '12' }), answer({ 'cache-control': 'max-age=60', 'content-location': '/' }))
expect('an answer to a POST is stored', policy.storable(), true)
expect('it answers a GET', policy.satisfiesWithoutRevalidation(ask('GET')), false)
expect('it answers a POST with another body', policy.satisfiesWithoutRevalidation(ask('POST', { 'content-length': '90' })), true)
process.exitCode = changed ? 1 : 0
JS
node finding.mjs
