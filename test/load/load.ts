/**
 * `npm run load`: asks a server as its visitors will, and tells how it bears that; or one of the project's own runs.
 * `README.md` beside this file lists both. Ends by itself.
 * @module
 */
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import scenarios from '../app/load/index.ts'
import type { MovingSettings } from './moving.ts'
import type { ShopSettings } from './shop.ts'
import { runCommand } from './tool/command.ts'

/** The project's own runs, loaded when they are asked for. */
const runs: Readonly<
  Record<string, () => Promise<(settings: MovingSettings & ShopSettings) => Promise<void> | void>>
> = {
  peers: async () => (await import('./peers.ts')).runPeers,
  mix: async () => (await import('./shop.ts')).runShop,
  shapes: async () => (await import('./shapes.ts')).runShapes,
  policy: async () => (await import('./policy.ts')).runPolicy,
  scale: async () => (await import('./scale.ts')).runScale,
  curves: async () => (await import('./curves.ts')).runCurves,
  book: async () => (await import('./scale-book.ts')).writeBook,
  inside: async () => (await import('./inside.ts')).runInside,
  hostile: async () => (await import('./hostile.ts')).runHostile,
  flood: async () => (await import('./flood.ts')).runFlood,
  cache: async () => (await import('./cache.ts')).runCache,
  costs: async () => (await import('./cache-costs.ts')).runCosts,
  jobs: async () => (await import('./jobs.ts')).runJobs,
  move: async () => (await import('./moving.ts')).runMoving,
  storage: async () => (await import('./storage.ts')).runStorage,
  balancer: async () => (await import('./balancer.ts')).runBalancer,
  simulation: async () => (await import('./balancer-simulation.ts')).runSimulation,
  migrations: async () => (await import('./migrations.ts')).runMigrations,
  backups: async () => (await import('./backups.ts')).runBackups,
  measuring: async () => (await import('./measuring.ts')).runMeasuring,
}

const usage = `npm run load -- [scenario] [options]

  --url URL             a server that runs; without it, the app as it is, seeded, in memory
  --duration SECONDS    what is measured            --warm-up SECONDS   what is not
  --rate N              journeys a second (open)    --users N           users who wait for answers (closed)
  --compare BASE        in turn with another server (an address) or with the code at a git revision
  --rounds N            of a comparison             --seed N            what is asked, in which order
  --max-requests N      where it stops              --out FOLDER        for the report
  --i-own-this-target   for a server that is not on this machine

scenarios of this app: ${Object.keys(scenarios).join(', ')}
own runs of the project: ${Object.keys(runs).join(', ')} (--seconds, --rounds, --connections, --only WORD; move and backups also --rows N;
  mix also --connections 1,16,64 and --compare FOLDER of another build);
  soak (--minutes N, --seed N), which ends with 1 when something was violated`

function readArguments() {
  return parseArgs({
    allowPositionals: true,
    options: {
      url: { type: 'string' },
      duration: { type: 'string' },
      'warm-up': { type: 'string' },
      rate: { type: 'string' },
      users: { type: 'string' },
      seed: { type: 'string' },
      compare: { type: 'string' },
      rounds: { type: 'string' },
      'max-requests': { type: 'string' },
      out: { type: 'string' },
      'i-own-this-target': { type: 'boolean' },
      seconds: { type: 'string', default: '2' },
      connections: { type: 'string' },
      minutes: { type: 'string', default: '30' },
      only: { type: 'string' },
      rows: { type: 'string', default: '100000' },
      help: { type: 'boolean', short: 'h' },
    },
  })
}

/** @returns the exit status */
async function main(): Promise<number> {
  // Local databases in memory, where there is a folder for it: what is measured is processors, and not a disk.
  if (existsSync('/dev/shm')) process.env.TMPDIR ??= '/dev/shm'
  const { values, positionals } = readArguments()
  if (values.help) {
    console.log(usage)
    return 0
  }
  const [name = Object.keys(scenarios)[0] as string, ...others] = positionals
  if (others.length > 0) throw new Error(`one scenario at a time: ${positionals.join(', ')}`)
  if (name === 'soak') {
    const { minutes, seed = String(Date.now() % 1_000_000) } = values
    return (await import('./soak.ts')).runSoakFor(Number(minutes), Number(seed))
  }
  const run = Object.hasOwn(runs, name) ? runs[name] : undefined
  if (run) {
    const { seconds, rounds = '5', connections, only = '', rows } = values
    const users = (connections ?? '1,16,64').split(',').map(Number)
    const settings = {
      seconds: Number(seconds),
      rounds: Number(rounds),
      connections: Number(connections ?? '16'),
      users,
      compare: values.compare ?? null,
      only,
      rows: Number(rows),
    }
    await (await run())(settings)
    return Number(process.exitCode ?? 0)
  }
  if (!Object.hasOwn(scenarios, name)) throw new Error(`there is no scenario ${name}`)
  return runCommand(name, scenarios[name as keyof typeof scenarios], values)
}

try {
  process.exit(await main())
} catch (error) {
  console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`)
  process.exit(2)
}
