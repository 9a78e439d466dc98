import { eq } from 'drizzle-orm'
import { customers, invoices, receipts } from '../../../db/app/schema.ts'
import { changes, defineJob } from '../../define.ts'

/** Sends the receipt of a new invoice to its customer: here, to the log. */
export default defineJob({
  name: 'receipt',
  on: changes('invoices', 'insert'),
  queue: 'high',
  run: async ({ input, id, home, shards, once }) => {
    const invoiceId = Number(input.key.id)
    const [invoice] = await home
      .select({ total: invoices.total, customerId: invoices.customerId, email: customers.email })
      .from(invoices)
      .innerJoin(customers, eq(customers.id, invoices.customerId))
      .where(eq(invoices.id, invoiceId))
    // It was taken away before anybody came to send its receipt.
    if (!invoice) return
    const { email, customerId, total } = invoice
    // It may be sent twice, but not lost: who sends mail for us knows it by the job's id.
    console.log(`mail ${id} to ${email}: your receipt for invoice ${invoiceId}, ${total.toFixed(2)}`)
    // A receipt's id is its own, and carries no slot: it is reserved, so that the receipt is found by it on any number of databases.
    const shard = await shards.of(customerId)
    const receiptId = crypto.randomUUID()
    await shard.reserve(receipts.id, receiptId)
    await once([shard.insert(receipts).values({ id: receiptId, invoiceId, customerId, email })])
  },
})
