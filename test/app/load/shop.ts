import { defineScenario, journey } from '../../define.ts'

const albums = 300
const tracks = 2400

/** People who look around in the catalogue; a few search. Nobody writes: that is `sales`. */
export default defineScenario({
  about: 'Visitors who look at pages of albums, open one, and sometimes search.',
  arrivals: { model: 'open', rate: 40, ramp: [{ seconds: 5, to: 1 }] },
  durationSeconds: 30,
  journeys: [
    journey({
      weight: 8,
      remembers: () => ({ album: 0 }),
      steps: [
        {
          name: 'page of albums',
          ask: (draw) => ({
            path: `/rest/v1/albums?select=id,title,artists(name)&order=title,id&limit=20&offset=${20 * (draw.zipf(15) - 1)}`,
          }),
          check: (answer, memory) => {
            const rows = answer.json<{ id: number }[]>()
            memory.album = rows[Math.floor(rows.length / 2)]?.id ?? 0
            return rows.length === 0 ? 'an empty page' : undefined
          },
        },
        {
          name: 'album with its tracks',
          think: { meanMs: 300 },
          ask: (_, { album }) => ({
            path: `/rest/v1/albums?id=eq.${album}&select=*,tracks(name,milliseconds)`,
          }),
          check: (answer) => (answer.json<unknown[]>().length === 1 ? undefined : 'not one album'),
        },
      ],
    }),
    journey({
      weight: 4,
      steps: [{ name: 'track', ask: (draw) => ({ path: `/rest/v1/tracks?id=eq.${draw.zipf(tracks)}` }) }],
    }),
    journey({
      steps: [
        {
          name: 'search',
          ask: (draw) => ({
            path: `/rest/v1/tracks?name=wfts.${draw.pick(['salt', 'river', 'night'])}&limit=20`,
          }),
        },
      ],
    }),
    journey({
      weight: 2,
      steps: [
        {
          name: 'unknown album',
          ask: (draw) => ({ path: `/rest/v1/albums?id=eq.${albums * 100 + draw.next()}` }),
        },
      ],
    }),
  ],
  objectives: [
    { failures: 0.001, p99Ms: 250 },
    { step: 'track', p50Ms: 50 },
  ],
})
