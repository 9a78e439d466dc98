#!/usr/bin/env bash
# When one command cannot be serialized, others that @upstash/redis sends along with it get each other's answers.
#
# What surprised: commands of one tick go out as one pipeline by default, and each remembers its place. A place is taken before
# the arguments are looked at: a command that throws (a BigInt as value, say) is not sent, but its place is counted, and all
# that come after it in that tick read one place too far. `incr('b')` resolves with the counter of `c`; only the last one fails.
# Why it matters: the others may be of another request that is served at the same time; what a session or a balance
# is read from belongs to somebody else, and the error is reported elsewhere.
# Versions: @upstash/redis 1.39.0.
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

const counters = { a: 100, b: 200, c: 300 }
const server = await serve((commands, response) =>
  response.end(JSON.stringify(commands.map(([, key]) => ({ result: ++counters[key] })))))
const redis = server.open()

const outcomes = await Promise.allSettled([redis.incr('a'), redis.set('wrong', 10n), redis.incr('b'), redis.incr('c')])
expect('what was sent', server.asked, [[['incr', 'a'], ['incr', 'b'], ['incr', 'c']]])
expect('the counters, as the server has them', counters, { a: 101, b: 201, c: 301 })
expect('incr a', outcomes[0].value, 101)
expect('set with a BigInt', outcomes[1].reason?.message, 'Do not know how to serialize a BigInt')
expect('incr b', outcomes[2].value, 301)
expect('incr c', outcomes[3].reason?.message, "Cannot read properties of undefined (reading 'error')")
server.stop()
process.exitCode = changed ? 1 : 0
JS
node finding.mjs
