import { describe, expect, it } from 'vitest'
import { findShard, withShard } from '../../db/commands/shard-entries.ts'

const toml = `name = "atoll"

[[d1_databases]]
binding = "DB"
database_name = "atoll"
migrations_dir = "db/app/migrations"

[[r2_buckets]]
binding = "BUCKET"

[[env.staging.d1_databases]]
binding = "DB"
database_name = "atoll-staging"
`

describe('shards in wrangler.toml', () => {
  it('are added behind the others, by their names alone, outside of environments', () => {
    const first = withShard(toml, 'atoll-north')
    expect(first.binding).toBe('SHARD_1')
    const second = withShard(first.toml, 'atoll-south')
    expect(findShard(second.toml, 'atoll-north')).toBe('SHARD_1')
    expect(findShard(second.toml, 'atoll-south')).toBe('SHARD_2')
    expect(second.toml.indexOf('SHARD_2')).toBeLessThan(second.toml.indexOf('[[r2_buckets]]'))
    expect(second.toml).not.toContain('database_id')
  })

  it('are found by their names, and environments have others', () => {
    expect(findShard(toml, 'atoll')).toBe('DB')
    expect(findShard(toml, 'atoll-north')).toBeNull()
    expect(findShard(toml, 'atoll-staging')).toBeNull()
  })
})
