import { defineSeed } from '../define.ts'
import { notes } from './schema.ts'

/** Rows for local development and tests: put in once, when the databases are new. */
export default defineSeed(async (database) => {
  await database.insert(notes).values([
    { owner: 'alice', body: 'Say what the tables are: db/app/schema.ts' },
    { owner: 'alice', body: 'Say who may do what: db/app/tables.ts' },
    { owner: 'bob', body: 'Nobody but me sees this' },
  ])
})
