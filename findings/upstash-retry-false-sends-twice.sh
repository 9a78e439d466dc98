#!/usr/bin/env bash
# `retry: false` makes @upstash/redis send a command twice when the first answer is lost.
#
# What surprised: false is the documented way to say that nothing is tried again, and is given as the remedy when increments are
# applied twice. It is turned into "one attempt", which is then counted as one retry. What sends once is `{ retries: 0 }`.
# Why it matters: a connection that breaks after the server has done its work doubles what cannot be repeated: INCR, LPUSH, a
# script, a whole pipeline.
# Versions: @upstash/redis 1.39.0.
# Source: https://github.com/upstash/redis-js/issues/1455 recommends `retry: false` against just this.
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

let counter = 0
const losing = await serve((_, response) => {
  counter++
  response.socket.destroy()
})
for (const [retry, times] of [[false, 2], [{ retries: 0 }, 1], [{ retries: 1, backoff: () => 1 }, 2]]) {
  counter = 0
  const answer = await losing.open({ retry }).incr('visits').catch(() => 'rejected')
  expect(`incr with retry: ${JSON.stringify(retry)}: the answer, and how often the server has counted`, [answer, counter], ['rejected', times])
}
losing.stop()
process.exitCode = changed ? 1 : 0
JS
node finding.mjs
