import type { BackupWorld } from './backup-world.ts'
import { dropParts } from './backups.ts'
import { folderOf } from './format.ts'
import { letLogGo } from './read-database.ts'

/** Takes away what backups that have failed or were cancelled have left: files, and logs that are kept for them. */
export async function dropLeft({ session, files }: BackupWorld): Promise<void> {
  const [ended = []] = await session.primary([
    {
      text: "SELECT id FROM _atoll_backups WHERE kind IN ('full', 'increment') AND state IN ('failed', 'cancelled') AND progress IS NOT NULL",
      parameters: [],
    },
  ])
  for (const row of ended) {
    const id = row.id as string
    for (const database of session.cluster.databases) await session.on(database, [letLogGo(id)])
    const left = await files.list(folderOf(id))
    if (left.length > 0) await files.remove(left)
    await session.primary([
      dropParts(id),
      { text: 'UPDATE _atoll_backups SET progress = NULL WHERE id = ?1', parameters: [id] },
    ])
  }
}
