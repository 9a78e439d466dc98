/**
 * The code that moves slots and follows them, as it is, or with one rule of its protocol broken on purpose.
 * @module
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import type { Cluster } from '../../db/cluster/cluster.ts'
import type { mapPosition, positionText } from '../../db/cluster/fence.ts'
import type { laterOf } from '../../db/cluster/session.ts'
import type { MoveRefused } from '../../db/errors/constraint-error.ts'
import type { Mover } from '../../db/moves/mover.ts'
import type { insertMove, turnMove } from '../../db/moves/moves.ts'

export interface MovesCode {
  readonly Cluster: typeof Cluster
  readonly Mover: typeof Mover
  readonly MoveRefused: typeof MoveRefused
  readonly insertMove: typeof insertMove
  readonly turnMove: typeof turnMove
  readonly laterOf: typeof laterOf
  readonly mapPosition: typeof mapPosition
  readonly positionText: typeof positionText
}

export interface MovesMutant {
  readonly name: string
  readonly file: string
  /** What stands in the file, once, and what is put in its place. */
  readonly from: string
  readonly to: string
  /** Whether it takes many schedules to show: looked for only when `ATOLL_MOVES` says how many. */
  readonly isRare?: boolean
}

const root = join(import.meta.dirname, '..', '..')

/** Loads the code with a rule broken; as it is for null. */
export async function loadMoves(mutant: MovesMutant | null): Promise<MovesCode> {
  const folder = mkdtempSync(join(tmpdir(), 'atoll-mutant-'))
  const outfile = join(folder, 'moves.mjs')
  try {
    await build({
      stdin: {
        contents: `export { Cluster } from './db/cluster/cluster.ts'
export { mapPosition, positionText } from './db/cluster/fence.ts'
export { laterOf } from './db/cluster/session.ts'
export { MoveRefused } from './db/errors/constraint-error.ts'
export { Mover } from './db/moves/mover.ts'
export { insertMove, turnMove } from './db/moves/moves.ts'`,
        resolveDir: root,
      },
      bundle: true,
      format: 'esm',
      platform: 'node',
      outfile,
      plugins: [
        {
          name: 'mutant',
          setup(building) {
            building.onLoad({ filter: /db\/(?:cluster|moves)\/.*\.ts$/ }, ({ path }) => {
              const contents = readFileSync(path, 'utf8')
              if (mutant === null || !path.endsWith(mutant.file)) return { contents, loader: 'ts' }
              if (contents.split(mutant.from).length !== 2)
                throw new Error(`${mutant.name}: ${mutant.from} is not there once`)
              return { contents: contents.replace(mutant.from, () => mutant.to), loader: 'ts' }
            })
          },
        },
      ],
    })
    return (await import(pathToFileURL(outfile).href)) as MovesCode
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
