import { defineScenario, journey } from '../../define.ts'

/** Scenarios by name; `npm run load` runs the first unless another is named. */
export default {
  notes: defineScenario({
    about: 'Somebody who writes a note and reads the latest ones.',
    arrivals: { model: 'open', rate: 10 },
    durationSeconds: 20,
    journeys: [
      journey({
        steps: [
          {
            name: 'write',
            ask: (draw) => ({
              path: '/rest/v1/notes',
              method: 'POST',
              body: { owner: 'load', body: `note ${draw.next()}` },
            }),
          },
          { name: 'read', ask: () => ({ path: '/rest/v1/notes?order=id.desc&limit=20' }) },
        ],
      }),
    ],
  }),
}
