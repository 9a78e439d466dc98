#!/usr/bin/env bash
# http-cache-semantics never serves an answer with must-revalidate without asking, however fresh it is.
#
# What surprised: must-revalidate speaks of answers that are stale. The library stores a fresh one, gives it its full time to live,
# says that it is not stale, and then asks the origin at each request. `max-age=31536000, must-revalidate`, which many servers
# send, is a cache that never hits; and so is any `Authorization` answer that is made storable in this way.
# Why it matters: the time to live and the hit rate contradict each other, and an origin gets all of the load.
# Versions: http-cache-semantics 4.3.0; before 4.2 it was otherwise, says the source.
# Source: RFC 9111, 5.2.2.2; https://github.com/kornelski/http-cache-semantics/pull/54
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

for (const [cacheControl, isHit] of [['max-age=600', true], ['max-age=600, must-revalidate', false]]) {
  const policy = new CachePolicy(ask(), answer({ 'cache-control': cacheControl, etag: '"1"' }))
  const { response, revalidation } = policy.evaluateRequest(ask())
  const seen = {
    storable: policy.storable(),
    stale: policy.stale(),
    seconds: Math.round(policy.timeToLive() / 1000),
    hit: policy.satisfiesWithoutRevalidation(ask()),
    response: response !== undefined,
    synchronous: revalidation?.synchronous ?? null,
  }
  expect(cacheControl, seen,
    { storable: true, stale: false, seconds: 600, hit: isHit, response: isHit, synchronous: isHit ? null : true })
}
process.exitCode = changed ? 1 : 0
JS
node finding.mjs
