#!/usr/bin/env bash
# multipasta forgets the name of a field and the name of a file when one character is beyond U+00FF.
#
# What surprised: browsers and FormData write names as UTF-8, and the parser decodes them so; but then it matches them against the
# grammar of headers, which ends at U+00FF. A Japanese file name (or a euro sign, or a typographic dash) makes the whole header
# count as empty: the part has the name '' and no file name, and so is no file but a field. Latin letters with accents pass,
# so a test with "é" says nothing.
# Why it matters: no error is told; an upload becomes a text field without a name, bound by the limits for fields.
# Versions: multipasta 0.2.8 (the body is made by Node's own FormData).
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

async function sent(field, filename) {
  const form = new FormData()
  form.set(field, new File(['hello'], filename, { type: 'text/plain' }))
  const response = new Response(form)
  return parse(response.headers.get('content-type'), [new Uint8Array(await response.arrayBuffer())])
}
expect('été.txt', await sent('upload', 'été.txt'), ['file upload, été.txt: 5 bytes', 'done'])
expect('日本.txt', await sent('upload', '日本.txt'), ['field : hello', 'done'])
expect('2020–2024.txt, with a dash', await sent('upload', '2020–2024.txt'), ['field : hello', 'done'])
expect('a field of the name €', await sent('€', 'plain.txt'), ['field : hello', 'done'])
process.exitCode = changed ? 1 : 0
JS
node finding.mjs
