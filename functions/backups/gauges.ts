import { listRuns } from '../../db/backups/backups.ts'
import type { Gauge, GaugeSource } from '../core/gauge.ts'
import type { Services } from './services.ts'

export const gauges: readonly GaugeSource<Services, unknown>[] = [{ what: 'backups', read: backupGauges }]

async function backupGauges({ cluster, backups }: Services): Promise<readonly Gauge[]> {
  if (backups === null) return []
  const runs = await listRuns(cluster.open({ reads: true, seen: new Map(), primary: true }))
  const last = runs.find(({ kind, state }) => (kind === 'full' || kind === 'increment') && state === 'done')
  const states = Map.groupBy(runs, ({ kind, state }) => `${kind} ${state}`)
  return [
    {
      name: 'backup_runs',
      help: 'Backups, restores and verifications that are remembered, by what became of them.',
      values: [...states].map(([key, own]) => {
        const [kind = '', state = ''] = key.split(' ')
        return { labels: { kind, state }, value: own.length }
      }),
    },
    ...(last
      ? [
          {
            name: 'backup_age_seconds',
            help: 'Since the last good backup was begun.',
            unit: 'seconds',
            values: [{ labels: {}, value: (Date.now() - last.created) / 1000 }],
          } as const,
        ]
      : []),
  ]
}
