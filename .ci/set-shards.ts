// node set-shards.ts FILE COUNT: gives a wrangler.toml so many shards beside DB.
import { readFileSync, writeFileSync } from 'node:fs'
import { withShard } from '../db/commands/shard-entries.ts'

const [file = '', count] = process.argv.slice(2)
let toml = readFileSync(file, 'utf8').replace(
  /\[\[d1_databases\]\]\nbinding = "SHARD_\d+"\n(?:\w+ = .*\n)*\n?/g,
  '',
)
for (let shard = 1; shard <= Number(count); shard++) toml = withShard(toml, `atoll-shard-${shard}`).toml
writeFileSync(file, toml)
