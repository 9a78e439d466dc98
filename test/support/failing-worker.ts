/** A Worker whose functions fail in ways that nobody foresaw. */

import { sql } from 'drizzle-orm'
import { z } from 'zod'
import { defineFunction, scalar } from '../../functions/define.ts'
import { createWorker } from '../../functions/gateway.ts'
import { genres } from '../fixture-app/db/app/schema.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { anyTables } from './any-tables.ts'

const common = { input: z.object({}), returns: scalar, roles: ['anon'] }

const functions = {
  thrown: defineFunction({
    ...common,
    run: async () => {
      throw new Error('in the function')
    },
  }),
  drizzle: defineFunction({
    ...common,
    run: async ({ database }) => {
      const found = await database.select({ n: sql`nonsense` }).from(genres)
      return found.length
    },
  }),
  inside: defineFunction({
    ...common,
    run: async ({ api }) => {
      const { data } = await anyTables(api.asService).from('nowhere').select().throwOnError()
      return data
    },
  }),
}

export default createWorker({ tables, config: {}, functions })
