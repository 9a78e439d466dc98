import type { GaugeSource } from '../core/gauge.ts'
import type { Services } from './services.ts'

export const gauges: readonly GaugeSource<Services, unknown>[] = [
  {
    what: 'realtime',
    async read({ hub }) {
      if (hub === null) return []
      const { sockets, topics, sent, changes, dropped } = await hub.status()
      const gauge = (name: string, help: string, value: number) => ({
        name: `realtime_${name}`,
        help,
        values: [{ labels: {}, value }],
      })
      return [
        gauge('sockets', 'Open sockets.', sockets),
        gauge('topics', 'Topics that somebody has joined.', topics),
        gauge('sent', 'Frames sent since the object woke up.', sent),
        gauge('changes', 'Changes told to subscribers since the object woke up.', changes),
        gauge('dropped', 'Slow readers that were told to read anew since the object woke up.', dropped),
      ]
    },
  },
]
