import { afterEach, describe, expect, it } from 'vitest'
import { anonymous, as, ask, databases, runJobs, secret, time } from '../define.ts'

/** Whom the seed has: the first customer. */
const sub = '1'

describe('the record store', () => {
  afterEach(() => time.reset())

  it('shows its catalogue to everybody, and its figures to nobody but the house', async () => {
    expect((await anonymous.from('albums').select('title, artists(name)').limit(3)).data).toHaveLength(3)
    expect((await anonymous.from('daily_sales').select()).status).toBe(401)
    expect((await as({ sub, role: 'support' }).from('daily_sales').select()).error).toBeNull()
  })

  it('shows customers what they bought, and nobody else', async () => {
    const { data } = await as({ sub }).from('invoices').select('customer_id')
    expect(data?.length).toBeGreaterThan(0)
    expect(data?.filter(({ customer_id }) => customer_id !== Number(sub))).toEqual([])
  })

  it('writes a receipt for an invoice, and counts the day at night', async () => {
    time.set('2031-05-04T12:00:00Z')
    await runJobs()
    const invoice = { customer_id: Number(sub), invoice_date: '2031-05-04', total: 3.5 }
    const { data, error } = await secret.from('invoices').insert(invoice).select('id').single()
    expect(error).toBeNull()
    await runJobs()
    const found = await Promise.all(
      [...databases.values()].map((database) =>
        database.prepare('SELECT customer_id FROM receipts WHERE invoice_id = ?').bind(data?.id).all(),
      ),
    )
    expect(found.flatMap(({ results }) => results)).toEqual([{ customer_id: Number(sub) }])
    time.advance(86_400)
    await runJobs()
    const { data: day } = await secret.from('daily_sales').select().eq('day', '2031-05-04').single()
    expect(day).toMatchObject({ invoices: 1, cents: 350 })
  })

  it('prints labels', async () => {
    const answer = await ask('/functions/v1/label', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ album_id: 1 }),
    })
    expect(await answer.json()).toMatchObject({ for: 'anon' })
  })
})
