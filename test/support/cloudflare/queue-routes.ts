import { randomUUID } from 'node:crypto'
import { jsonOf, pageOf, Refusal, type Route } from './routes.ts'

export interface StoredQueue {
  readonly queue_id: string
  readonly queue_name: string
  readonly consumers: Consumer[]
}

export interface Consumer {
  readonly consumer_id: string
  readonly type: string
  readonly script: string
  readonly settings: ConsumerSettings
}

interface ConsumerSettings {
  readonly batch_size?: number
  readonly max_retries?: number
  readonly max_wait_time_ms?: number
}

interface ConsumerBody {
  readonly type: string
  readonly script_name: string
  readonly settings: ConsumerSettings
}

export interface QueueStore {
  readonly queues: readonly StoredQueue[]
  readonly routes: readonly Route[]
}

/** Queues, and which Worker takes what is sent to them. */
export function createQueueStore(onConsumer: () => void): QueueStore {
  const queues: StoredQueue[] = []
  const base = '/accounts/:account/queues'
  const find = (id = ''): StoredQueue => {
    const queue = queues.find(({ queue_id, queue_name }) => queue_id === id || queue_name === id)
    if (!queue) throw new Refusal(404, 11000, 'The queue could not be found')
    return queue
  }
  const shown = (queue: StoredQueue) => ({
    ...queue,
    producers: [],
    consumers_total_count: queue.consumers.length,
    producers_total_count: 0,
  })
  const routes: Route[] = [
    {
      method: 'GET',
      path: base,
      handle({ query }) {
        const names = query.getAll('name')
        const found = queues.filter(({ queue_name }) => names.length === 0 || names.includes(queue_name))
        return pageOf(found.map(shown), query, 100)
      },
    },
    {
      method: 'POST',
      path: base,
      handle(request) {
        const { queue_name: name } = jsonOf<{ queue_name: string }>(request)
        if (queues.some(({ queue_name }) => queue_name === name))
          throw new Refusal(
            409,
            11009,
            `Queue name '${name}' is already taken. Please use a different name and try again.`,
          )
        const queue = { queue_id: randomUUID().replaceAll('-', ''), queue_name: name, consumers: [] }
        queues.push(queue)
        return { result: shown(queue) }
      },
    },
    { method: 'GET', path: `${base}/:id`, handle: (_, { id }) => ({ result: shown(find(id)) }) },
    {
      method: 'POST',
      path: `${base}/:id/consumers`,
      handle(request, { id }) {
        const queue = find(id)
        if (queue.consumers.length > 0)
          throw new Refusal(400, 11004, `Queue '${queue.queue_name}' already has a consumer`)
        const { type, script_name: script, settings } = jsonOf<ConsumerBody>(request)
        const consumer = { consumer_id: randomUUID().replaceAll('-', ''), type, script, settings }
        queue.consumers.push(consumer)
        onConsumer()
        return { result: consumer }
      },
    },
    {
      method: 'PUT',
      path: `${base}/:id/consumers/:consumer`,
      handle(request, { id, consumer }) {
        const { consumers } = find(id)
        const at = consumers.findIndex(({ consumer_id }) => consumer_id === consumer)
        if (at < 0) throw new Refusal(404, 11001, 'The consumer could not be found')
        const { type, script_name: script, settings } = jsonOf<ConsumerBody>(request)
        const changed = { consumer_id: consumer as string, type, script, settings }
        const isSame = JSON.stringify(consumers[at]) === JSON.stringify(changed)
        consumers[at] = changed
        if (!isSame) onConsumer()
        return { result: changed }
      },
    },
  ]
  return { queues, routes }
}
