import type { ClusterSession } from '../../../db/cluster/session.ts'
import { sweepKeys } from '../../../db/cluster/write-keys.ts'

/** Five hundred keys each: 170 a second can be swept, round after round. */
const maxKeyBatches = 20

/** Takes away keys of writes whose time is over, so many that other duties have their turn. @param keptMs how long they are known */
export async function sweepWriteKeys(
  session: ClusterSession,
  database: string,
  keptMs: number,
): Promise<void> {
  for (let batches = 0; batches < maxKeyBatches; batches++) {
    const [, rows = []] = await session.on(database, sweepKeys(keptMs))
    if (Number(rows[0]?.more) !== 1) return
  }
}
