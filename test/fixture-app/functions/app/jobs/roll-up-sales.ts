import { count, like, sum } from 'drizzle-orm'
import { dailySales, invoices } from '../../../db/app/schema.ts'
import { defineJob } from '../../define.ts'

/** Every night at three: how much was sold the day before. It counts anew, so that it may run again. */
export default defineJob({
  name: 'roll-up-sales',
  cron: '0 3 * * *',
  timeZone: 'Europe/Berlin',
  run: async ({ input, database, shards, progress }) => {
    const day = new Date(Date.parse(input.scheduledFor) - 86_400_000).toISOString().slice(0, 10)
    const totals = { invoices: 0, cents: 0 }
    const all = await shards.all()
    for (const [i, shard] of all.entries()) {
      const [part] = await shard
        .select({ invoices: count(), total: sum(invoices.total) })
        .from(invoices)
        .where(like(invoices.invoiceDate, `${day}%`))
      totals.invoices += part?.invoices ?? 0
      totals.cents += Math.round(Number(part?.total ?? 0) * 100)
      await progress((100 * (i + 1)) / all.length, `${i + 1} of ${all.length} databases`)
    }
    await database
      .insert(dailySales)
      .values({ day, ...totals })
      .onConflictDoUpdate({ target: dailySales.day, set: totals })
  },
})
