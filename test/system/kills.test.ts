import { expect, it } from 'vitest'
import { runKills } from '../faults/kill-run.ts'

/** `ATOLL_KILLS=200 npm test -- test/system/kills` kills more often; `ATOLL_MOVES=200` moves slots more often, and kills after every fourth. */
const moves = Number(process.env.ATOLL_MOVES ?? 4)
const kills = Number(process.env.ATOLL_KILLS ?? Math.max(3, Math.ceil(moves / 4)))
const seed = Number(process.env.ATOLL_SEED ?? 7)

// A message that was lost time and again is sent at intervals of up to 16 seconds here, so jobs may take a while to end.
it(`every committed write has its effects once, though the Worker is killed ${kills} times, queues lose and double, and slots move ${moves} times`, {
  timeout: 240_000 + kills * 8000 + moves * 14_000,
}, async () => {
  const counts = await runKills({
    kills,
    moves,
    seed,
    trouble: 0.1,
    drainMs: 120_000 + moves * 1500,
    tell: console.log,
  })
  console.log(JSON.stringify(counts))
  expect(counts).toMatchObject({ missing: [], lost: [], doubled: [], unitsOff: 0, deadLetters: 0 })
  expect(counts.moves).toMatchObject({ others: [], twice: 0 })
  // One that is asked for is several when its slots lie on several databases.
  expect(counts.moves.done).toBeGreaterThanOrEqual(moves)
  // There was something to lose and to double.
  expect(counts.acknowledged).toBeGreaterThan(kills)
  expect(counts.invoices).toBeGreaterThanOrEqual(counts.acknowledged)
  expect(counts.unanswered + counts.repeated).toBeGreaterThan(0)
})
