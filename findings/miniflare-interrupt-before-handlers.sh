#!/usr/bin/env bash
# An interrupt ends a process that has a Miniflare, and a handler that the process has set after it is never called.
#
# What surprised: a program that starts Miniflare and then sets a handler of its own for SIGINT, as to close what else it holds, is ended
# before it: Miniflare has set one for the same signal, which comes first and calls `process.exit(130)` at once. What has to be done
# before the end must be done in `process.on('exit')`, without waiting for anything.
# Why it matters: locks and files stay behind, other children go on, and the status is 130, whatever the handler would have said.
# Versions: miniflare 5.20261102.0-beta.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "name": "finding", "private": true, "type": "module" }' > package.json
npm install --no-audit --no-fund --silent --save-exact miniflare@5.20261102.0-beta node@24.21.0 || exit 2
npm pkg get dependencies

cat > holder.mjs <<'JS'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'

if (process.argv[2] === 'with') {
  const modules = [{ type: 'ESModule', path: 'index.mjs', contents: 'export default { fetch: () => new Response() }' }]
  const workers = [{ name: 'one', modules, compatibilityDate: '2026-01-01' }]
  const miniflare = new Miniflare(convertV4MiniflareOptions({ workers }))
  await miniflare.ready
} else setInterval(() => undefined, 1000)
process.once('SIGINT', async () => {
  console.log('begun')
  await new Promise((done) => setTimeout(done, 200))
  console.log('done')
  process.exit(0)
})
process.on('exit', () => console.log('exit'))
console.log('ready')
JS
cat > finding.mjs <<'JS'
import { spawn } from 'node:child_process'

let changed = false
/** Shows what was seen, and notes when it is not what this finding says. */
function expect(what, seen, described) {
  const [is, was] = [seen, described].map((value) => JSON.stringify(value))
  console.log(`${what}\n    ${is}`)
  if (is === was) return
  changed = true
  console.log(`    NOT AS DESCRIBED, which was ${was}`)
}

/** Starts a process, interrupts it when it is ready, and tells what it printed then and how it ended. */
function interrupted(how) {
  return new Promise((done) => {
    const child = spawn(process.execPath, ['holder.mjs', how], { stdio: ['ignore', 'pipe', 'ignore'] })
    let text = ''
    child.stdout.on('data', (chunk) => {
      text += chunk
      if (text === 'ready\n') child.kill('SIGINT')
    })
    child.once('close', (status) => done([text.trim().split('\n').slice(1), status]))
  })
}

expect('an interrupt without a Miniflare', await interrupted('without'), [['begun', 'done', 'exit'], 0])
expect('an interrupt with one', await interrupted('with'), [['exit'], 130])
process.exit(changed ? 1 : 0)
JS
node_modules/.bin/node finding.mjs
