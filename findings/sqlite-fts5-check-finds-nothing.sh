#!/usr/bin/env bash
# FTS5's integrity check passes an index that finds words which are not in the rows.
#
# What surprised: an index with external content must be told the old words when a row changes. A trigger that tells it the new
# ones instead (one `new` for `old`) runs without an error; the old words are found for ever after, and lead to rows that do not
# have them. `INSERT INTO index (index) VALUES ('integrity-check')` says nothing: it compares the index with itself. The
# comparison with the content has to be asked for, by a rank of 1, and then the same index is corrupt.
# Why it matters: the short form is the one that is found everywhere; a test that calls it proves nothing about triggers.
# Versions: Node 24.21.0 with SQLite 3.53.4.
# Source: https://www.sqlite.org/fts5.html#the_integrity_check_command
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
const run = (statement) => {
  try {
    lite.exec(statement)
    return 'done'
  } catch (error) {
    return error.message
  }
}

lite.exec("CREATE TABLE notes (id integer PRIMARY KEY, body text)")
lite.exec("CREATE VIRTUAL TABLE words USING fts5(body, content = 'notes', content_rowid = 'id')")
lite.exec('CREATE TRIGGER added AFTER INSERT ON notes BEGIN INSERT INTO words (rowid, body) VALUES (new.id, new.body); END')
lite.exec(`CREATE TRIGGER changed AFTER UPDATE ON notes BEGIN
  INSERT INTO words (words, rowid, body) VALUES ('delete', old.id, new.body);
  INSERT INTO words (rowid, body) VALUES (new.id, new.body);
END`)
lite.exec("INSERT INTO notes VALUES (1, 'apple'); UPDATE notes SET body = 'pear'")
expect('rows that are found by the old word', lite.prepare("SELECT rowid, body FROM words WHERE words MATCH 'apple'").all(),
  [{ rowid: 1, body: 'pear' }])
expect('the check', run("INSERT INTO words (words) VALUES ('integrity-check')"), 'done')
expect('the check with rank 1', run("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)"),
  'fts5: checksum mismatch for table "words"')
process.exitCode = changed ? 1 : 0
JS
node_modules/node/bin/node finding.mjs
