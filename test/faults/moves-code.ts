/**
 * The code that moves slots and follows them, as it is, or with one rule of its protocol broken on purpose.
 * @module
 */

import type { Cluster } from '../../db/cluster/cluster.ts'
import type { mapPosition, positionText } from '../../db/cluster/fence.ts'
import type { laterOf } from '../../db/cluster/session.ts'
import type { MoveRefused } from '../../db/errors/constraint-error.ts'
import type { Mover } from '../../db/moves/mover.ts'
import type { insertMove, turnMove } from '../../db/moves/moves.ts'
import { type CodeMutant, loadMutant } from './load-mutant.ts'

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

export interface MovesMutant extends CodeMutant {
  /** Whether it takes many schedules to show: looked for only when `ATOLL_MOVES` says how many. */
  readonly isRare?: boolean
}

/** Loads the code with a rule broken; as it is for null. */
export function loadMoves(mutant: MovesMutant | null): Promise<MovesCode> {
  return loadMutant(
    `export { Cluster } from './db/cluster/cluster.ts'
export { mapPosition, positionText } from './db/cluster/fence.ts'
export { laterOf } from './db/cluster/session.ts'
export { MoveRefused } from './db/errors/constraint-error.ts'
export { Mover } from './db/moves/mover.ts'
export { insertMove, turnMove } from './db/moves/moves.ts'`,
    /db\/(?:cluster|moves)\/.*\.ts$/,
    mutant,
  )
}
