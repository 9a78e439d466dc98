import { describe, expect, it } from 'vitest'
import { findShard, withShard, withShardId } from '../../db/commands/shard-entries.ts'

const toml = `name = "atoll"

[[d1_databases]]
binding = "DB"
database_name = "atoll"
database_id = "00000000-0000-0000-0000-000000000000"
migrations_dir = "db/app/migrations"

[[r2_buckets]]
binding = "BUCKET"
`

describe('shards in wrangler.toml', () => {
  it('are added behind the others, with an id of their own or a placeholder', () => {
    const local = withShard(toml, 'atoll-north', null)
    expect(local.binding).toBe('SHARD_1')
    expect(findShard(local.toml, 'atoll-north')).toEqual({
      binding: 'SHARD_1',
      id: '00000000-0000-0000-0000-000000000001',
      isPlaceholder: true,
    })
    const remote = withShard(local.toml, 'atoll-south', '6f1c2d3e-0000-4000-8000-000000000001')
    expect(findShard(remote.toml, 'atoll-south')).toMatchObject({ binding: 'SHARD_2', isPlaceholder: false })
    expect(findShard(remote.toml, 'atoll-north')).toMatchObject({ binding: 'SHARD_1' })
    expect(remote.toml.indexOf('SHARD_2')).toBeLessThan(remote.toml.indexOf('[[r2_buckets]]'))
    expect(findShard(toml, 'atoll-north')).toBeNull()
  })

  it('that are on this machine only are completed with the id of an account', () => {
    const local = withShard(toml, 'atoll-north', null).toml
    const completed = withShardId(local, 'atoll-north', '6f1c2d3e-0000-4000-8000-000000000001')
    expect(findShard(completed, 'atoll-north')).toMatchObject({ binding: 'SHARD_1', isPlaceholder: false })
    expect(findShard(completed, 'atoll')).toMatchObject({ binding: 'DB', isPlaceholder: true })
    expect(withShardId(completed, 'atoll-north', '00000000-0000-0000-0000-000000000001')).toBe(local)
  })
})
