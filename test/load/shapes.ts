/** `npm run load -- shapes`: what it saves that requests of one shape are compiled once. */
import { startTestServer } from '../support/local-server.ts'
import { type Contender, compare, type Settings } from './compare.ts'

const both = (path: (i: number) => string): Contender[] => [
  { name: 'compiled each time', path: (i) => `/forgetful${path(i)}` },
  { name: 'compiled once', path: (i) => `/plain${path(i)}` },
]

const scenarios = [
  { name: 'one track by id', contenders: both((i) => `/rest/v1/tracks?id=eq.${1 + (i % 2400)}`) },
  {
    name: 'order with items and tracks',
    contenders: both(
      (i) => `/rest/v1/invoices?id=eq.${1 + (i % 400)}&select=*,items:invoice_items(*,track:tracks(*))`,
    ),
  },
]

export async function runShapes(settings: Settings): Promise<void> {
  const server = await startTestServer({
    entry: new URL('worker.ts', import.meta.url).pathname,
    databases: ['DB'],
    isBare: true,
  })
  try {
    await compare((await server.addressOf()).origin, scenarios, settings)
  } finally {
    await server.stop()
  }
}
