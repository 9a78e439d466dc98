/** What goes wrong in a soak, by turns: the cache's store, and the process that the isolates share. */
import { killWorkers } from '../../support/kill-workers.ts'
import type { RedisBridge } from '../../support/redis-bridge.ts'
import { refusals } from '../../support/redis-refusals.ts'

export interface Fault {
  readonly name: string
  /** Whether the process is ended, with all that it kept. */
  readonly ends?: boolean
  begin(bridge: RedisBridge, below: (n: number) => number): Promise<unknown> | unknown
  end?(bridge: RedisBridge): Promise<unknown> | unknown
}

const spoil = (name: string, fault: RedisBridge['fault']): Fault => ({
  name,
  begin: (bridge) => {
    bridge.fault = fault
  },
})

/** @param isolates how many there are */
export function everyFault(isolates: number): readonly Fault[] {
  return [
    ...Object.entries(refusals).map(([word, { begin, end }]) => ({
      name: `store refuses writes, ${word}`,
      begin: ({ client }: RedisBridge) => begin(client),
      end: ({ client }: RedisBridge) => end(client),
    })),
    {
      name: 'store evicts',
      begin: async ({ client }) => {
        const [, used = '0'] = /used_memory:(\d+)/.exec(await client.info('memory')) ?? []
        await client.config('SET', 'maxmemory-policy', 'allkeys-random')
        await client.config('SET', 'maxmemory', String(Number(used) - 10_000))
      },
      end: async ({ client }) => {
        await client.config('SET', 'maxmemory', '0')
        await client.config('SET', 'maxmemory-policy', 'noeviction')
      },
    },
    { name: 'store is flushed', begin: ({ client }) => client.flushall() },
    spoil('store is slow', { delayMs: 150 }),
    spoil('store is too slow', { delayMs: 1500 }),
    spoil('store hangs up', { down: 'hang-up' }),
    spoil('store answers errors', { down: 'error' }),
    spoil('store answers nonsense', { nonsense: true }),
    {
      name: 'store is closed to one isolate',
      begin: (bridge, below) => {
        bridge.fault = { closedTo: `isolate${below(isolates)}` }
      },
    },
    { name: 'process is killed', ends: true, begin: () => killWorkers() },
  ]
}

/** Makes all well again. */
export async function endFault(fault: Fault, bridge: RedisBridge): Promise<void> {
  bridge.fault = {}
  await fault.end?.(bridge)
}
