#!/usr/bin/env bash
# http-cache-semantics takes an answer for fresh whose Expires has passed, if its Date has passed as well.
#
# What surprised: how long an answer is fresh is counted from its Date, but its age is taken from the Age header alone. Without one
# (an origin or a cache that passes answers on from its disk) an answer is new when it arrives: one that was made an hour ago
# and expired 50 minutes ago is served for ten minutes more. RFC 9111 wants the greater of Age and the distance to Date.
# Why it matters: behind another cache that sends no Age, what is stale there begins a second life here, each time.
# Versions: http-cache-semantics 4.3.0.
# Source: RFC 9111, 4.2.3 (apparent_age).
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

for (const [headers, isFresh, seconds] of [
  [{ date: ago(3600), expires: ago(3000) }, true, 600],
  [{ date: ago(3600), 'cache-control': 'max-age=60' }, true, 60],
  [{ date: ago(3600), 'cache-control': 'max-age=60', age: '3600' }, false, 0],
]) {
  const policy = new CachePolicy(ask(), answer(headers))
  const seen = [policy.satisfiesWithoutRevalidation(ask()), Math.round(policy.timeToLive() / 1000)]
  expect(`an hour old by its Date, with ${Object.keys(headers).join(', ')}: served, and seconds left`, seen, [isFresh, seconds])
}
process.exitCode = changed ? 1 : 0
JS
node finding.mjs
