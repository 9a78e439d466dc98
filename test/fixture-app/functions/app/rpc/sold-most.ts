import { desc } from 'drizzle-orm'
import { z } from 'zod'
import { artistSales } from '../../../db/app/schema.ts'
import { defineFunction, rows } from '../../define.ts'

/** The artists of whom most was sold: for the office. */
export default defineFunction({
  input: z.object({ count: z.int().min(1).max(100).default(10) }),
  returns: rows(artistSales),
  stable: true,
  schemas: ['office'],
  roles: ['support'],
  run: async ({ input, database }) =>
    database
      .select()
      .from(artistSales)
      .orderBy(desc(artistSales.units), artistSales.artistId)
      .limit(input.count),
})
