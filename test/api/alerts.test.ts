import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { type Env, engineOf, servicesFor } from '../../functions/areas.ts'
import { listJobs } from '../../functions/jobs/show-jobs.ts'
import type { MetricsAccess } from '../../functions/meter/metrics-access.ts'
import { watchObjectives } from '../../functions/monitor/alerts.ts'
import tables from '../fixture-app/db/app/tables.ts'

describe('a service level', () => {
  it('is told once when it begins to burn, and once when it is over, as jobs that send webhooks', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const engine = engineOf({
      tables,
      config: {
        objectives: [{ name: 'reads', area: 'rest', target: 0.999 }],
        alertWebhook: { url: 'https://alerts.example.com/', secret: 'ALERT_SECRET' },
      },
    })
    let failing = 500
    const metrics = {
      points: async (step: number, from: number) =>
        step === 60
          ? Array.from({ length: 60 }, (_, i) => ({
              at: from + i * 60 + 18_000,
              measures: {
                counters: {
                  'requests{area="rest",route="a",method="GET",status="200"}': 500,
                  'requests{area="rest",route="a",method="GET",status="503"}': failing,
                },
                histograms: {},
              },
            }))
          : [],
    } as unknown as MetricsAccess
    const services = { ...servicesFor(engine)(env as unknown as Env), metrics: () => metrics, relay: null }
    const told = async () =>
      (await listJobs(services, { name: 'atoll:alert', limit: 10 } as never)).map(({ state }) => state)
    let burning: readonly string[] = []
    for (let i = 0; i < 3; i++) burning = await watchObjectives(services, engine.config, burning)
    expect(burning).toEqual(['reads'])
    expect(await told()).toHaveLength(1)
    failing = 0
    for (let i = 0; i < 3; i++) burning = await watchObjectives(services, engine.config, burning)
    expect(burning).toEqual([])
    expect(await told()).toHaveLength(2)
    const { results } = await (env as unknown as Env).DB.prepare(
      "SELECT payload FROM _atoll_jobs WHERE name = 'atoll:alert' ORDER BY id",
    ).all<{ payload: string }>()
    expect(results.map(({ payload }) => JSON.parse(payload))).toMatchObject([
      {
        type: 'service-level.burning',
        data: { objective: 'reads', target: 0.999, burn_rate: expect.closeTo(500, 0) },
      },
      { type: 'service-level.recovered', data: { objective: 'reads', burn_rate: 0 } },
    ])
  })
})
