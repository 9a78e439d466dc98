/** The ways in which a real Redis refuses what is written and answers what is read. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'

export interface Refusal {
  begin(redis: Redis): Promise<unknown>
  end(redis: Redis): Promise<unknown>
}

const setting = (name: string, refusing: string, usual: string): Refusal => ({
  begin: (redis) => redis.config('SET', name, refusing),
  end: (redis) => redis.config('SET', name, usual),
})

/** Where it would write what it has; a folder of this name is in its way. */
async function snapshotOf(redis: Redis): Promise<string> {
  const [, folder] = (await redis.config('GET', 'dir')) as [string, string]
  return join(folder, 'dump.rdb')
}

/** By the word that its errors begin with. */
export const refusals: Readonly<Record<'READONLY' | 'NOREPLICAS' | 'OOM' | 'MISCONF', Refusal>> = {
  /** A replica of a primary that is not there keeps what it has. */
  READONLY: {
    begin: (redis) => redis.replicaof('127.0.0.1', 1),
    end: (redis) => redis.replicaof('NO', 'ONE'),
  },
  NOREPLICAS: setting('min-replicas-to-write', '1', '0'),
  /** Full: it still takes keys away. */
  OOM: setting('maxmemory', '1', '0'),
  /** Its disk does not take what it would save. */
  MISCONF: {
    async begin(redis) {
      mkdirSync(await snapshotOf(redis), { recursive: true })
      await redis.config('SET', 'save', '3600 1')
      await redis.bgsave()
      for (let tries = 0; tries < 200; tries++) {
        if (/rdb_last_bgsave_status:err/.test(await redis.info('persistence'))) return
        await sleep(50)
      }
      throw new Error('Redis could save')
    },
    async end(redis) {
      await redis.config('SET', 'save', '')
      rmSync(await snapshotOf(redis), { recursive: true })
    },
  },
}
