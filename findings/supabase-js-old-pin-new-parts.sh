#!/usr/bin/env bash
# supabase-js that is pinned to a version of 2023 comes with a storage client of today.
#
# What surprised: @supabase/supabase-js@2.39.0 asks for its parts by ranges (storage-js ^2.5.4), and since then all parts have
# taken supabase-js's own numbers: 2.119 is in the range of 2.5. What is installed without a lock file is a client of which
# half is years newer than the other: postgrest-js stays at 1.x, storage-js does not.
# Why it matters: who tests a server against 'an old client' by its version tests a new one, and who keeps an old app's
# version has other errors and requests after a fresh install. Overrides, or a lock file, keep the parts.
# Versions: @supabase/supabase-js 2.39.0, installed on 2026-11-30.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "name": "finding", "private": true, "type": "module" }' > package.json
npm install --no-audit --no-fund --silent --save-exact @supabase/supabase-js@2.39.0 || exit 2
npm pkg get dependencies

part() { node -p "require('./node_modules/@supabase/$1/package.json').version"; }
asked=$(node -p "require('./node_modules/@supabase/supabase-js/package.json').dependencies['@supabase/storage-js']")
storage=$(part storage-js)
postgrest=$(part postgrest-js)
echo "storage-js: asked for $asked, installed $storage"
echo "postgrest-js: installed $postgrest"
[[ $asked == '^2.5.4' && $postgrest == 1.* && ${storage#2.} == 1[0-9][0-9].* ]] || { echo 'NOT AS DESCRIBED'; exit 1; }
