import { defineScenario, journey } from '../../define.ts'

const customers = 50

/** The shop's own server, with the secret key: it sells, and looks up what was sold. */
export default defineScenario({
  about: "A server that sells: one invoice with two items for nineteen looks at a customer's invoices.",
  key: 'secret',
  arrivals: { model: 'closed', users: 8 },
  durationSeconds: 30,
  journeys: [
    journey({
      weight: 19,
      steps: [
        {
          name: 'invoices of a customer',
          think: { fromMs: 5, toMs: 25 },
          ask: (draw) => ({
            path: `/rest/v1/invoices?customer_id=eq.${draw.zipf(customers)}&select=*,invoice_items(*)&order=id.desc&limit=10`,
          }),
        },
      ],
    }),
    journey({
      remembers: (draw) => ({ customer: draw.zipf(customers), invoice: 0 }),
      steps: [
        {
          name: 'invoice',
          ask: (_, { customer }) => ({
            path: '/rest/v1/invoices',
            headers: { Prefer: 'return=representation' },
            body: { customer_id: customer, invoice_date: '2026-01-01 00:00:00', total: 1.98 },
          }),
          expects: [201],
          check: (answer, memory) => {
            const [row] = answer.json<{ id: number }[]>()
            memory.invoice = row?.id ?? 0
            return row === undefined ? 'no invoice came back' : undefined
          },
        },
        {
          name: 'items',
          ask: (draw, { customer, invoice }) => ({
            path: '/rest/v1/invoice_items',
            body: [1, 2].map(() => ({
              invoice_id: invoice,
              customer_id: customer,
              track_id: draw.zipf(2400),
              unit_price: 0.99,
              quantity: 1,
            })),
          }),
          expects: [201],
        },
      ],
    }),
  ],
  objectives: [{ failures: 0.001, p99Ms: 500, databaseCalls: 4 }],
})
