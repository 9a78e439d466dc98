import { makeRoutedNumber } from '../../db/slots/slots.ts'
import { call } from './worker-client.ts'

/** Everything that tests write has an id from here on, so that it can be taken away again. */
export const first = 900_000

/** Sends a write to the data API with the secret key. */
export function send(
  method: string,
  path: string,
  body?: unknown,
  prefer = '',
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  return call(`/rest/v1/${path}`, {
    method,
    headers: { ...(prefer ? { Prefer: prefer } : {}), 'Content-Type': 'application/json', ...headers },
    ...(text === undefined ? {} : { body: text }),
  })
}

/** Takes away what tests wrote, children before parents. */
export async function clean(): Promise<void> {
  for (const table of [
    'invoice_items',
    'invoices',
    'playlist_tracks',
    'tracks',
    'albums',
    'genres',
    'artists',
  ]) {
    const column = table === 'playlist_tracks' ? 'track_id' : 'id'
    // Routed ids begin with the number that their row has.
    const from = table.startsWith('invoice') ? makeRoutedNumber(0, first) : first
    const response = await send('DELETE', `${table}?${column}=gte.${from}`, undefined, 'atomicity=shard')
    if (response.status !== 204) throw new Error(`${table} is not clean: ${await response.text()}`)
  }
}

export async function errorOf(response: Response) {
  const body = await response.json<{ code: string; message: string; details: string }>()
  return { status: response.status, ...body }
}
