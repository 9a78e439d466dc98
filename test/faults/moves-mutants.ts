import type { MovesMutant } from './moves-code.ts'

/** Rules of the protocol, each broken once. */
export const movesMutants: readonly MovesMutant[] = [
  {
    name: 'does not catch up once slots are closed',
    file: 'db/moves/hand-over.ts',
    from: 'const upTo = await followToEnd(work, position)',
    to: 'const upTo = position as number | null',
    isRare: true,
  },
  {
    name: 'does not read again what has changed',
    file: 'db/moves/staging.ts',
    from: 'for (let from = 0; from < moved.length; ) from += await readAgain(carrier, cargo, moved.slice(from))',
    to: '',
  },
  {
    name: 'lets go before jobs have started from the last changes',
    file: 'db/moves/hand-over.ts',
    from: '!(await work.world.pass(move.source, upTo))',
    to: 'false',
    isRare: true,
  },
  {
    name: 'opens before caches forget where rows lay',
    file: 'db/moves/hand-over.ts',
    from: 'await world.renew(Math.max(...epochs.map(([, epoch]) => epoch)))',
    to: '',
    isRare: true,
  },
  {
    name: 'opens the target before the source lets go',
    file: 'db/moves/hand-over.ts',
    from: 'if (!(await letGo(work, values))) {',
    to: 'await finish(work)\n    if (!(await letGo(work, values))) {',
  },
  {
    name: 'goes back to replicas of where slots were',
    file: 'db/cluster/cluster.ts',
    from: 'const seen = session.bookmarks.get(mapPosition)',
    to: 'const seen = undefined as string | undefined',
    isRare: true,
  },
  {
    name: 'lets a mover write that another one has followed',
    file: 'db/moves/staging.ts',
    from: '    isMine(token),\n',
    to: '',
    isRare: true,
  },
  {
    name: 'reads what is to move before it has its token',
    file: 'db/moves/mover.ts',
    from: `    if (this.#token === null) {
      if ((await nextMove(session)) === null) return 'nothing'
      this.#token = await takeToken(session)
    }
    // Read under the token: what an older mover has just ended is not begun again.
    const move = await nextMove(session)
    if (move === null) return 'nothing'
`,
    to: `    const move = await nextMove(session)
    if (move === null) return 'nothing'
    this.#token ??= await takeToken(session)
`,
    isRare: true,
  },
  {
    name: 'lets the change log tell of a move',
    file: 'db/moves/hand-over.ts',
    from: 'DELETE FROM _atoll_changes WHERE sequence > CAST(',
    to: 'DELETE FROM _atoll_changes WHERE sequence > 1000000 + CAST(',
  },
  {
    name: "lets the app's triggers fire",
    file: 'db/moves/cargo.ts',
    from: 'const triggers = cargo.flatMap((one) => one.triggers)',
    to: 'const triggers = [] as { name: string; sql: string }[]',
  },
  {
    name: 'lets go of jobs that have changed since they were read',
    file: 'db/moves/hand-over.ts',
    from: '    jobs.unchanged,\n',
    to: '',
    isRare: true,
  },
  {
    name: 'leaves jobs behind',
    file: 'db/moves/beside-rows.ts',
    from: 'return first <= slot && slot <= last',
    to: 'return false',
    isRare: true,
  },
  {
    name: 'leaves lookup entries behind',
    file: 'db/moves/hand-over.ts',
    from: '      ...entries,\n',
    to: '',
  },
  {
    name: 'keeps the epoch of a database that lets go',
    file: 'db/moves/hand-over.ts',
    from: 'dropSlots(range),\n    setEpoch(piece.epoch),',
    to: 'dropSlots(range),',
    isRare: true,
  },
  {
    name: 'cancels what has been let go',
    file: 'db/moves/hand-over.ts',
    from: 'if (held.size === 0) return finish(work)',
    to: 'if (held.size === 0 && isWanted) return finish(work)',
    isRare: true,
  },
  {
    name: 'leaves at the target what a cancelled move has handed over',
    file: 'db/moves/cancel-move.ts',
    from: '[...(handed.length === 0 ? [] : [goBack]), ',
    to: '[',
  },
  {
    name: 'lets paused moves keep slots closed',
    file: 'db/moves/moves.ts',
    from: " OR (state = 'paused' AND progress ->> 'piece' IS NOT NULL)",
    to: '',
    isRare: true,
  },
  {
    name: 'takes slots for its own that have been elsewhere meanwhile',
    file: 'db/moves/mover.ts',
    from: 'if (held.epoch !== progress.epoch) return this.#again(move, progress, carrier)',
    to: 'progress = { ...progress, epoch: held.epoch }',
    isRare: true,
  },
]
