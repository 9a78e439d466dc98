#!/usr/bin/env bash
# A request of @upstash/redis that is aborted by a signal resolves: with null, as if the key were missing.
#
# What surprised: `signal`, an AbortSignal.timeout(500) for example, is a documented option. When it fires, the client makes up an answer of
# status 200 whose result is the signal's reason. A reason that is an error becomes null, so `get` says that there is nothing
# (a cache miss), `set` says what it says when NX has found the key, `exists` says null. A reason that is a text is decoded as
# base64, and comes back as garbage. And a signal fires once: all later commands resolve in the same way, and nothing is sent.
# With the signal as a function, which the types allow as well, the call is rejected.
# Why it matters: a timeout, meant to protect, turns into wrong data.
# Versions: @upstash/redis 1.39.0.
# Source: https://github.com/upstash/redis-js/pull/1379 brought the function, for this reason; the fixed signal stayed as it was.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "name": "finding", "private": true, "type": "module" }' > package.json
npm install --no-audit --no-fund --silent --save-exact @upstash/redis@1.39.0 || exit 2
npm pkg get dependencies

cat > finding.mjs <<'JS'
import { createServer } from 'node:http'
import { Redis } from '@upstash/redis'

let changed = false
/** Shows what was seen, and notes when it is not what this finding says. */
function expect(what, seen, described) {
  const [is, was] = [seen, described].map((value) => JSON.stringify(value))
  console.log(`${what}\n    ${is}`)
  if (is === was) return
  changed = true
  console.log(`    NOT AS DESCRIBED, which was ${was}`)
}
/** Answers as Upstash's REST interface does, and counts what it was asked. */
async function serve(answer) {
  const asked = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const body = JSON.parse(text)
    asked.push(body)
    await answer(body, response)
  })
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
  const open = (options) =>
    new Redis({ url: `http://127.0.0.1:${server.address().port}`, token: 'x', enableTelemetry: false, ...options })
  const stop = () => {
    server.closeAllConnections()
    server.close()
  }
  return { asked, open, stop }
}

const controllers = []
const late = () => new DOMException('too late', 'TimeoutError')
let reason = late()
const slow = await serve((_, response) => {
  controllers.at(-1).abort(reason)
  setTimeout(() => response.end(JSON.stringify({ result: btoa('value') })), 500)
})
const signal = () => {
  controllers.push(new AbortController())
  return controllers.at(-1).signal
}
const options = { enableAutoPipelining: false, retry: { retries: 0 } }

const redis = slow.open({ ...options, signal: signal() })
expect('get of a key that is there, when its time is over', await redis.get('key'), null)
expect('set, exists and incr after that', [await redis.set('key', 1), await redis.exists('key'), await redis.incr('n')], [null, null, null])
expect('requests that the server has seen', slow.asked, [['get', 'key']])

reason = 'stop'
const stopped = await slow.open({ ...options, signal: signal() }).get('key')
expect("get, when aborted with the reason 'stop': code points", [...stopped].map((char) => char.codePointAt(0).toString(16)), ['fffd', 'fffd', '29'])

reason = late()
const rejected = slow.open({ ...options, signal }).get('key')
expect('get, with the signal as a function', await rejected.catch((error) => error.name), 'TimeoutError')
slow.stop()
process.exitCode = changed ? 1 : 0
JS
node finding.mjs
