/**
 * Asks contenders the same questions, in turn, in rounds, and says how they compare.
 * @module
 */
import { isDeepStrictEqual } from 'node:util'
import autocannon from 'autocannon'
import { childProcesses } from '../../functions/local/state-lock.ts'
import { cpuOf } from './process-cpu.ts'

export interface Contender {
  readonly name: string
  path(i: number): string
  /** The secret key when left out. */
  headers?(i: number): Readonly<Record<string, string>>
  /** A write in the place of a read; null: a read. */
  write?(i: number): string | null
  /** What writes are sent as. Default PATCH. */
  readonly method?: 'PATCH' | 'POST'
}

export interface Scenario {
  readonly name: string
  /** The last is what the others are held against. */
  readonly contenders: readonly Contender[]
  /** Whether they answer otherwise: a constant, say. */
  readonly differ?: boolean
}

export interface Settings {
  readonly seconds: number
  readonly rounds: number
  readonly connections: number
}

export const secret = { apikey: 'sb_secret_test' }

interface Sample {
  requests: number
  seconds: number
  cpuMs: number
  /** Latencies in milliseconds, by round. */
  p50: number[]
  p99: number[]
  /** Answers that came from the cache. */
  hits: number
}

/** Measures scenarios on a server that runs, and prints a line for each contender. */
export async function compare(
  address: string,
  scenarios: readonly Scenario[],
  settings: Settings,
): Promise<void> {
  const run = new Comparison(address, settings)
  const { seconds, rounds, connections } = settings
  console.log(`${rounds} rounds of ${seconds} s each, in turn, ${connections} connections\n`)
  const lines = [
    row('scenario', 'server', 'req/s', 'p50 ms', 'p99 ms', 'CPU ms', 'CPU ratio', 'req/s ratio', 'hits %'),
  ]
  for (const scenario of scenarios) lines.push(...(await run.report(scenario)))
  console.log(lines.join('\n'))
}

class Comparison {
  readonly #address: string
  readonly #settings: Settings
  readonly #pids = childProcesses()

  constructor(address: string, settings: Settings) {
    this.#address = address
    this.#settings = settings
  }

  async report(scenario: Scenario): Promise<string[]> {
    if (!scenario.differ) await this.#checkSameAnswers(scenario)
    return report(scenario, await this.#measure(scenario))
  }

  /** Columns are named otherwise by hand (camel case), so values are compared, in order. */
  async #checkSameAnswers({ name, contenders }: Scenario): Promise<void> {
    for (const i of [0, 7, 41]) {
      const answers = await Promise.all(
        contenders.map(async (contender) => {
          const headers = contender.headers?.(i) ?? secret
          const response = await fetch(this.#address + contender.path(i), { headers })
          if (!response.ok) throw new Error(`${name}: ${contender.name} answered ${response.status}`)
          return valuesOf(await response.json())
        }),
      )
      if (!answers.every((answer) => isDeepStrictEqual(answer, answers[0])))
        throw new Error(`${name}: the answers differ, so there is nothing to compare`)
    }
  }

  async #measure(scenario: Scenario): Promise<readonly Sample[]> {
    const samples = scenario.contenders.map(
      (): Sample => ({ requests: 0, seconds: 0, cpuMs: 0, p50: [], p99: [], hits: 0 }),
    )
    for (const contender of scenario.contenders) await this.#shoot(contender, 1)
    const { rounds, seconds } = this.#settings
    for (let round = 0; round < rounds; round++) {
      for (const [i, contender] of scenario.contenders.entries()) {
        const sample = samples[i] as Sample
        const before = this.#cpu()
        const result = await this.#shoot(contender, seconds, () => sample.hits++)
        if (result.non2xx > 0 || result.errors > 0)
          throw new Error(`${scenario.name}: ${contender.name} failed requests`)
        sample.cpuMs += this.#cpu() - before
        sample.requests += result.requests.total
        sample.seconds += result.duration
        sample.p50.push(result.latency.p50)
        sample.p99.push(result.latency.p99)
      }
    }
    return samples
  }

  #shoot(contender: Contender, duration: number, onHit = () => 0): Promise<autocannon.Result> {
    let i = 0
    return autocannon({
      url: this.#address,
      connections: this.#settings.connections,
      duration,
      requests: [
        {
          method: 'GET',
          path: '/',
          setupRequest: (request) => {
            const headers: Record<string, string> = { ...(contender.headers?.(i) ?? secret) }
            const body = contender.write?.(i) ?? null
            const path = contender.path(i++)
            if (body === null) return { ...request, path, headers }
            return {
              ...request,
              method: contender.method ?? 'PATCH',
              path,
              body,
              headers: { ...headers, 'content-type': 'application/json' },
            }
          },
          onResponse: (_status, _body, _context, headers) => {
            const cache = Object.entries(headers ?? {}).find(
              ([name]) => name.toLowerCase() === 'cache-status',
            )?.[1]
            if (String(cache).includes('hit')) onHit()
          },
        },
      ],
    })
  }

  /** Processor time of the server's processes, in milliseconds. */
  #cpu(): number {
    return this.#pids.reduce((sum, pid) => sum + (cpuOf(pid) ?? 0), 0)
  }
}

function valuesOf(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(valuesOf)
  return json !== null && typeof json === 'object' ? Object.values(json).map(valuesOf) : json
}

function report(scenario: Scenario, samples: readonly Sample[]): string[] {
  const perSecond = samples.map((sample) => sample.requests / sample.seconds)
  const perRequest = samples.map((sample) => sample.cpuMs / sample.requests)
  const base = scenario.contenders.length - 1
  return scenario.contenders.map((contender, i) =>
    row(
      i === 0 ? scenario.name : '',
      contender.name,
      (perSecond[i] as number).toFixed(0),
      median(samples[i]?.p50 ?? []).toFixed(1),
      median(samples[i]?.p99 ?? []).toFixed(1),
      (perRequest[i] as number).toFixed(3),
      ((perRequest[i] as number) / (perRequest[base] as number)).toFixed(2),
      ((perSecond[i] as number) / (perSecond[base] as number)).toFixed(2),
      ((100 * (samples[i]?.hits ?? 0)) / (samples[i]?.requests ?? 1)).toFixed(0),
    ),
  )
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

function row(scenario: string, server: string, ...cells: string[]): string {
  return scenario.padEnd(30) + server.padEnd(26) + cells.map((cell) => cell.padStart(12)).join('')
}
