#!/usr/bin/env bash
# workerd's inspector answers `HeapProfiler.collectGarbage` of a Worker that has nothing to do only when something asks the Worker.
#
# What surprised: other questions to the same idle isolate (`Runtime.getHeapUsage`) are answered in milliseconds. Whoever measures what a
# Worker keeps, collects garbage first and so waits: for a minute, if the next thing that wakes the Worker is an alarm.
# Why it matters: measurements of memory seem to hang, or are ended by their time limit; a request beside them is the remedy.
# Versions: miniflare 5.20261102.0-beta, with the workerd that it brings.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "name": "finding", "private": true, "type": "module" }' > package.json
npm install --no-audit --no-fund --silent --save-exact miniflare@5.20261102.0-beta ws@8.18.3 node@24.21.0 || exit 2
npm pkg get dependencies

cat > finding.mjs <<'JS'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { WebSocket } from 'ws'

let changed = false
/** Shows what was seen, and notes when it is not what this finding says. */
function expect(what, seen, described) {
  const [is, was] = [seen, described].map((value) => JSON.stringify(value))
  console.log(`${what}\n    ${is}`)
  if (is === was) return
  changed = true
  console.log(`    NOT AS DESCRIBED, which was ${was}`)
}

const contents = `let kept = []
export default { fetch: () => { kept = Array.from({ length: 1e5 }, (_, i) => ({ i })); return new Response('ok') } }`
const modules = [{ type: 'ESModule', path: 'index.mjs', contents }]
const workers = [{ name: 'one', modules, compatibilityDate: '2026-01-01' }]
const miniflare = new Miniflare(convertV4MiniflareOptions({ inspectorPort: 0, workers }))
await miniflare.ready
const ask = async () => (await miniflare.dispatchFetch('http://one.test/')).text()
await ask()
const { port } = await miniflare.getInspectorURL()
const targets = await (await fetch(`http://127.0.0.1:${port}/json`)).json()
const { webSocketDebuggerUrl } = targets.find(({ id }) => id === 'core:user:one')
const socket = new WebSocket(webSocketDebuggerUrl)
await new Promise((done) => socket.once('open', done))
let last = 0
const call = (method) =>
  new Promise((done) => {
    const id = ++last
    socket.on('message', (data) => JSON.parse(String(data)).id === id && done('answered'))
    socket.send(JSON.stringify({ id, method }))
  })
const within = (seconds, answer) =>
  Promise.race([answer, new Promise((done) => setTimeout(() => done('waits'), seconds * 1000))])

expect('the heap of an idle Worker, within three seconds', await within(3, call('Runtime.getHeapUsage')), 'answered')
const collected = call('HeapProfiler.collectGarbage')
expect('its garbage collected, within eight seconds', await within(8, collected), 'waits')
await ask()
expect('the same call, three seconds after a request to the Worker', await within(3, collected), 'answered')
socket.close()
await miniflare.dispose()
process.exit(changed ? 1 : 0)
JS
node_modules/.bin/node finding.mjs
