// node set-shards.mjs FILE COUNT: gives a wrangler.toml so many shards beside DB.
import { readFileSync, writeFileSync } from 'node:fs'

const [file, count] = process.argv.slice(2)
const text = readFileSync(file, 'utf8').replace(
  /\[\[d1_databases\]\]\nbinding = "SHARD_\d+"\n(?:\w+ = .*\n)*\n?/g,
  '',
)
const shards = Array.from(
  { length: Number(count) },
  (_, i) => `[[d1_databases]]
binding = "SHARD_${i + 1}"
database_name = "atoll-shard-${i + 1}"
database_id = "00000000-0000-0000-0000-0000000000${String(i + 1).padStart(2, '0')}"
migrations_dir = "db/app/migrations"
`,
)
writeFileSync(file, `${text.trimEnd()}\n\n${shards.join('\n')}`)
