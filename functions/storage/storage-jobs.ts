/**
 * What happens to files later: bytes that nobody's row names are taken away, and files that came in parts are hashed.
 * @module
 */
import { z } from 'zod'
import type { EngineJob, EngineServices, JobContext } from '../jobs/area.ts'
import { chunksOf, hex } from './receive.ts'
import { deleteBlobsJob, keptForBackups } from './remove-objects.ts'

export const hashObjectJob = 'atoll:hash-object'

const blobs = z.object({ blobs: z.array(z.string()) })
const blob = z.object({ blob: z.string() })

export const storageJobs: readonly EngineJob[] = [
  {
    name: deleteBlobsJob,
    input: blobs,
    run: async ({ input }: JobContext<z.output<typeof blobs>>, { files, cluster }: EngineServices) => {
      const session = cluster.open({ reads: false, seen: new Map() })
      // A version that could not be taken away is somebody's still.
      const [rows = []] = await session.primary([
        {
          text: `SELECT value AS blob FROM json_each(?1) WHERE value NOT IN (SELECT blob FROM _atoll_objects WHERE blob IN (SELECT value FROM json_each(?1))) AND value NOT IN (${keptForBackups})`,
          parameters: [JSON.stringify(input.blobs)],
        },
      ])
      await files?.delete(rows.map((row) => row.blob as string))
    },
  },
  {
    name: hashObjectJob,
    input: blob,
    timeoutSeconds: 900,
    retry: { maxAttempts: 4 },
    run: async ({ input }: JobContext<z.output<typeof blob>>, { files, cluster }: EngineServices) => {
      const found = await files?.get(input.blob)
      // It has been replaced or taken away meanwhile.
      if (!found) return
      const digest = new crypto.DigestStream('SHA-256')
      const writer = digest.getWriter()
      // Read by ourselves: a pipe would read ahead without bound.
      for await (const chunk of chunksOf(found.body)) await writer.write(chunk)
      await writer.close()
      const sha256 = hex(new Uint8Array(await digest.digest))
      const session = cluster.open({ reads: false, seen: new Map() })
      await session.primary([
        { text: 'UPDATE _atoll_objects SET sha256 = ?2 WHERE blob = ?1', parameters: [input.blob, sha256] },
      ])
    },
  },
]
