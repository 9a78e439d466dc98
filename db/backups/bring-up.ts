import { copiesBehind } from '../cluster/bring-up-copies.ts'
import { followReferences } from '../cluster/reference-copies.ts'
import type { BackupWorld } from './backup-world.ts'

/** Rows that are laid next refer to copies. */
export async function bringUp({ session, catalog }: BackupWorld): Promise<void> {
  await followReferences(session.writing(), catalog)
  const behind = (await copiesBehind(session)).filter(({ entries }) => entries > 0)
  if (behind.length > 0)
    throw new Error(`copies on ${behind.map(({ database }) => database).join(', ')} could not be brought up`)
}
