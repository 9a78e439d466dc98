/**
 * `npm run load -- inside`: processor time of a request that a route sends by `api`, beside the same request from outside, and beside
 * one that the route sends over `fetch`. A route that asks twenty times costs what one costs that asks never, and twenty times what
 * is looked for.
 * @module
 */
import { startTestServer } from '../support/local-server.ts'
import { type Contender, type Settings, shoot } from './compare.ts'
import { table } from './tool/report.ts'
import { type Ratio, ratioOf } from './tool/statistics.ts'

const times = 20
/** So few that all of them are in the cache, where there is one. */
const id = (i: number) => 1 + (i % 50)

const contendersFor = (name: string) => {
  const route = (by: string, n: number): Contender => ({
    name: `${by}, ${n} times`,
    path: (i) => `/${name}/functions/v1/${by}?times=${n}&id=${id(i)}`,
  })
  return {
    outside: { name: 'from outside', path: (i: number) => `/${name}/rest/v1/tracks?id=eq.${id(i)}` },
    empty: route('inside', 0),
    inside: route('inside', times),
    fetch: route('fetch', times),
  }
}

/** Milliseconds of one request in one round. */
interface Costs {
  readonly inside: number
  readonly fetch: number
  readonly outside: number
}

export async function runInside(settings: Settings): Promise<void> {
  const server = await startTestServer({
    entry: new URL('inside-worker.ts', import.meta.url).pathname,
    databases: ['DB'],
    isBare: true,
  })
  const url = await server.addressOf()
  const rows: string[][] = []
  try {
    for (const name of ['uncached', 'cached']) {
      const contenders = contendersFor(name)
      const cpuOf = async (which: keyof typeof contenders, round: number, seconds = settings.seconds) => {
        const { result, cpuMs } = await shoot(
          contenders[which],
          { url, keys: {} },
          { ...settings, seconds },
          round,
        )
        if (result.all.failed > 0) throw new Error(`${which}: ${Object.keys(result.all.errors)[0]}`)
        return cpuMs
      }
      for (const which of ['outside', 'fetch', 'inside', 'empty'] as const) {
        await cpuOf(which, 0, 2 * settings.seconds)
      }
      const costs: Costs[] = []
      for (let round = 1; round <= settings.rounds; round++) {
        const outside = await cpuOf('outside', round)
        const empty = await cpuOf('empty', round)
        const inside = ((await cpuOf('inside', round)) - empty) / times
        const fetch = ((await cpuOf('fetch', round)) - empty) / times
        costs.push({ inside, fetch, outside })
      }
      rows.push(rowOf(name, costs))
      process.stderr.write(`${name}\n`)
    }
  } finally {
    await server.stop()
  }
  console.log(
    `One track by its id, with the secret key; CPU of one request in ms, and ratios with the interval of 95 %.\n`,
  )
  console.log(
    table(['', 'by api', 'from outside', 'by fetch', 'api to outside', 'api to fetch'], rows).join('\n'),
  )
}

function rowOf(name: string, costs: readonly Costs[]): string[] {
  const mean = (of: keyof Costs) => costs.reduce((sum, cost) => sum + cost[of], 0) / costs.length
  const shown = ({ ratio, low, high }: Ratio) => `${ratio.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`
  const to = (base: keyof Costs) =>
    shown(
      ratioOf(
        costs.map((cost) => [cost.inside, cost[base]] as const),
        0.95,
      ),
    )
  const means = (['inside', 'outside', 'fetch'] as const).map((of) => mean(of).toFixed(3))
  return [name, ...means, to('outside'), to('fetch')]
}
