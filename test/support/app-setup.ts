import storage from '../../db/app/storage.ts'
import tables from '../../db/app/tables.ts'
import { setUpDatabases } from './set-up-databases.ts'

await setUpDatabases(tables, storage)
