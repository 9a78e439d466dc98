import storage from '../fixture-app/db/app/storage.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { setUpDatabases } from './set-up-databases.ts'

await setUpDatabases(tables, storage)
