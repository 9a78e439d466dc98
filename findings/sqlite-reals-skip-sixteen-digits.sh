#!/usr/bin/env bash
# SQLite shows a real number in fifteen digits or rounds it to seventeen: a third is 0.33333333333333332.
#
# What surprised: CAST AS TEXT, json_array and || take seventeen digits for every number that fifteen do not say, though
# sixteen say many of those (a third is 0.3333333333333333 to JavaScript and PostgreSQL). printf('%!.16g') has them.
# Why it matters: the same number is written by a client as it has it, and comes back in other digits: texts, signatures and
# comparisons of JSON differ. Most numbers that are worked out (shares, means, positions) are of this kind.
# Versions: Node 24.21.0 with SQLite 3.53.4.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "name": "finding", "private": true, "type": "module" }' > package.json
npm install --no-audit --no-fund --silent --save-exact node@24.21.0 || exit 2
npm pkg get dependencies

cat > finding.mjs <<'JS'
import { DatabaseSync } from 'node:sqlite'

let changed = false
/** Shows what was seen, and notes when it is not what this finding says. */
function expect(what, seen, described) {
  const [is, was] = [seen, described].map((value) => JSON.stringify(value))
  console.log(`${what}\n    ${is}`)
  if (is === was) return
  changed = true
  console.log(`    NOT AS DESCRIBED, which was ${was}`)
}
console.log(`SQLite ${process.versions.sqlite}`)
const lite = new DatabaseSync(':memory:')
const shown = (x) => Object.values(lite.prepare("SELECT json_array(?1) AS j, CAST(?1 AS TEXT) AS t, printf('%!.16g', ?1) AS p").get(x))

expect('a third: JSON, text, sixteen digits', shown(1 / 3), ['[0.33333333333333332]', '0.33333333333333332', '0.3333333333333333'])
expect('to JavaScript', String(1 / 3), '0.3333333333333333')
expect('fifteen are enough for a tenth', shown(0.1), ['[0.1]', '0.1', '0.1'])
expect('seventeen are needed for this', shown(0.1 + 0.2).slice(0, 2), ['[0.30000000000000004]', '0.30000000000000004'])

// Of numbers that JavaScript says in sixteen digits, how many come back in more.
let sixteen = 0
let longer = 0
for (let n = 1; n <= 5000; n++) {
  const x = n / 7919
  const digits = (text) => text.replace(/e.*$/, '').replace('.', '').replace(/^-?0+/, '').length
  if (digits(String(x)) !== 16) continue
  sixteen++
  if (digits(shown(x)[1]) === 17) longer++
}
console.log(`of ${sixteen} numbers that JavaScript says in sixteen digits, ${longer} come back in seventeen`)
expect('three of four at least', [sixteen > 1000, longer / sixteen > 0.75], [true, true])
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs
