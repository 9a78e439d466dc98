#!/usr/bin/env bash
# A read that @upstash/redis is asked for between two writes may see neither of them, or both.
#
# What surprised: commands of one tick are gathered by default, but reads and writes into one pipeline each, which are sent side by
# side as two requests. Nothing orders them: `set 1, get, set 2` answers the get with 2 when the writes arrive first, and with
# what was there before when the read does. In one pipeline, as an explicit one and those of earlier versions are, it is 1.
# Why it matters: code that worked with one pipeline for all (Promise.all of a write and a read) changes its meaning, and the
# option that is said to keep reads behind writes, readYourWrites, works from one request to the next and not here.
# Versions: @upstash/redis 1.39.0.
# Source: https://github.com/upstash/redis-js/pull/1432 brought it, https://github.com/upstash/redis-js/issues/1455 tells of it.
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

for (const [first, answer] of [['writes', 2], ['reads', 0]]) {
  const data = { key: 0 }
  const server = await serve(async (commands, response) => {
    const isRead = commands[0][0] === 'get'
    if (isRead !== (first === 'reads')) await new Promise((passed) => setTimeout(passed, 100))
    const results = commands.map(([name, key, value]) => {
      if (name === 'set') data[key] = value
      return { result: name === 'set' ? 'OK' : btoa(String(data[key])) }
    })
    response.end(JSON.stringify(results))
  })
  const redis = server.open()
  const [, read] = await Promise.all([redis.set('key', 1), redis.get('key'), redis.set('key', 2)])
  expect(`requests when ${first} arrive first`, server.asked.length, 2)
  expect('set 1, get, set 2: the get', read, answer)
  server.asked.length = 0
  const [, explicit] = await redis.pipeline().set('key', 1).get('key').set('key', 2).exec()
  expect('the same in an explicit pipeline', [server.asked.length, explicit], [1, 1])
  server.stop()
}
process.exitCode = changed ? 1 : 0
JS
node finding.mjs
