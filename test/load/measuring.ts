/** `npm run load -- measuring`: what measuring adds to a read by id, as a ratio to the same with measuring off. */
import { startTestServer } from '../support/local-server.ts'
import { compare, type Settings } from './compare.ts'

export async function runMeasuring(settings: Settings): Promise<void> {
  const server = await startTestServer({
    isWhole: true,
    entry: new URL('measured-worker.ts', import.meta.url).pathname,
    databases: ['DB'],
    isBare: true,
  })
  const path = (i: number) => `/rest/v1/tracks?id=eq.${1 + (i % 2400)}`
  try {
    const contenders = [
      { name: 'measured', path: (i: number) => `/on${path(i)}` },
      { name: 'not measured', path: (i: number) => `/off${path(i)}` },
    ]
    await compare((await server.addressOf()).origin, [{ name: 'one track by id', contenders }], settings)
  } finally {
    await server.stop()
  }
}
