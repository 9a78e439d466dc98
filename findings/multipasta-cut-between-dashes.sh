#!/usr/bin/env bash
# multipasta refuses a whole body when it is cut at one certain place: between the two dashes at its end.
#
# What surprised: the parser keeps back what may be the beginning of a boundary, so cuts can be anywhere; all places pass but
# one. The dashes that close a body are looked for in a single piece. When a packet ends between them, everything has been
# told by then, and then come "BadHeaders" and "EndNotReached" instead of "done".
# Why it matters: where packets end is chance, so it is a failure of one upload in many thousands that never comes again.
# Versions: multipasta 0.2.8.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "name": "finding", "private": true, "type": "module" }' > package.json
npm install --no-audit --no-fund --silent --save-exact multipasta@0.2.8 || exit 2
npm pkg get dependencies

cat > finding.mjs <<'JS'
import { decodeField, make } from 'multipasta'

let changed = false
/** Shows what was seen, and notes when it is not what this finding says. */
function expect(what, seen, described) {
  const [is, was] = [seen, described].map((value) => JSON.stringify(value))
  console.log(`${what}\n    ${is}`)
  if (is === was) return
  changed = true
  console.log(`    NOT AS DESCRIBED, which was ${was}`)
}
/** What the parser tells of a body that arrives in these pieces. */
function parse(contentType, pieces) {
  const told = []
  const parser = make({
    headers: { 'content-type': contentType },
    onField: (info, value) => told.push(`field ${info.name}: ${decodeField(info, value)}`),
    onFile: (info) => {
      let length = 0
      return (chunk) => {
        if (chunk === null) told.push(`file ${info.name}, ${info.filename}: ${length} bytes`)
        else length += chunk.length
      }
    },
    onError: (error) => told.push(`error ${error._tag}`),
    onDone: () => told.push('done'),
  })
  for (const piece of pieces) parser.write(piece)
  parser.end()
  return told
}

const body = Buffer.from([
  '--edge', 'Content-Disposition: form-data; name="title"', '', 'Hello',
  '--edge', 'Content-Disposition: form-data; name="upload"; filename="a.txt"', 'Content-Type: text/plain', '', 'some bytes',
  '--edge--', '',
].join('\r\n'))
const pieces = (at) => [body.subarray(0, at), body.subarray(at)].map((piece) => new Uint8Array(piece))
const tell = (at) => parse('multipart/form-data; boundary=edge', pieces(at))

const whole = ['field title: Hello', 'file upload, a.txt: 10 bytes', 'done']
expect('in one piece', tell(0), whole)
const bad = [...body.keys()].filter((at) => at > 0 && JSON.stringify(tell(at)) !== JSON.stringify(whole))
expect('places of all where a cut changes what is told', [body.length - 1, bad.length], [body.length - 1, 1])
expect('around it', [body.subarray(bad[0] - 7, bad[0]).toString(), body.subarray(bad[0]).toString()], ['--edge-', '-\r\n'])
expect('what is told then', tell(bad[0]), [...whole.slice(0, 2), 'error BadHeaders', 'error EndNotReached'])
process.exitCode = changed ? 1 : 0
JS
node finding.mjs
