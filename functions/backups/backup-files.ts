import type { BackupFiles } from '../../db/backups/backup-world.ts'

/** R2 lists and removes so many at once. */
const atOnce = 1000

/** Backups in a bucket. @param prefix of all their keys */
export function backupFiles(bucket: R2Bucket, prefix: string): BackupFiles {
  return {
    put: async (key, bytes) => void (await bucket.put(prefix + key, bytes)),
    get: async (key) => {
      const found = await bucket.get(prefix + key)
      return found && new Uint8Array(await found.arrayBuffer())
    },
    list: async (begin) => {
      const keys: string[] = []
      for (let cursor: string | undefined; ; ) {
        const listed = await bucket.list({
          prefix: prefix + begin,
          limit: atOnce,
          ...(cursor ? { cursor } : {}),
        })
        keys.push(...listed.objects.map(({ key }) => key.slice(prefix.length)))
        if (!listed.truncated) return keys
        cursor = listed.cursor
      }
    },
    remove: async (keys) => {
      for (let i = 0; i < keys.length; i += atOnce)
        await bucket.delete(keys.slice(i, i + atOnce).map((key) => prefix + key))
    },
  }
}
