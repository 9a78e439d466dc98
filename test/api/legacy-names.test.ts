/** PostgREST 16 warns of embedded resources that have an alias and are called by their table's name. */
import { describe, expect, it } from 'vitest'
import sample from '../fixture-app/db/app/tables.ts'
import { gatewayOver } from '../support/clinic.ts'
import { get } from '../support/worker-client.ts'

const warningOf = async (path: string, method = 'GET') => {
  const response = await get(`/rest/v1/${path}`, {}, undefined, method)
  await response.body?.cancel()
  return [response.status, response.headers.get('warning')]
}
const warning = (names: string) =>
  `299 Atoll "Embedded resource was referenced by relation name even though it has an alias. This is deprecated and will stop working in a future release. Update ${names} in query string filters, orders or limits."`

describe('the name of an embedded table that has an alias', () => {
  it('is warned of, once for each, wherever it stands', async () => {
    const path = 'albums?select=id,all:tracks(id,of:genres(name)),by:artists(name)&limit=1'
    expect(await warningOf(`${path}&all.order=id&by.name=like.*`)).toEqual([200, null])
    expect(await warningOf(`${path}&tracks.order=id&tracks.limit=1&tracks.id=gt.1`)).toEqual([
      200,
      warning('`tracks` to `all`'),
    ])
    expect(await warningOf(`${path}&artists.name=like.*&tracks.genres.name=neq.x`, 'HEAD')).toEqual([
      200,
      warning('`tracks` to `all`, `genres` to `of`, `artists` to `by`'),
    ])
    expect(await warningOf('albums?select=id,tracks(id)&tracks.limit=1&limit=1')).toEqual([200, null])
  })

  it('is told in a way that a header may hold', async () => {
    const path = (name: string) =>
      `albums?select=id,${encodeURIComponent(`"${name}"`)}:tracks(id)&tracks.limit=1&limit=1`
    expect(await warningOf(path('Lieder für\nalle'))).toEqual([
      200,
      warning('`tracks` to `Lieder f%C3%BCr%0Aalle`'),
    ])
    expect(await warningOf(path('x'.repeat(2000)))).toEqual([200, warning('the names')])
  })

  it('is refused where the app says so', async () => {
    const ask = gatewayOver(sample, { legacyTargetNames: false })
    const response = await ask('/rest/v1/albums?select=id,all:tracks(id)&tracks.limit=1')
    expect([response.status, response.headers.get('warning'), await response.json()]).toMatchObject([
      400,
      null,
      { code: 'PGRST108', hint: "Change 'tracks' to 'all' in filters, orders or limits." },
    ])
  })
})
