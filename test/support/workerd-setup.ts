import { reset } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { engineOf, servicesFor } from '../../functions/areas.ts'
import { app } from '../fixture-app/app.ts'
import storage from '../fixture-app/db/app/storage.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { setUpDatabases } from './set-up-databases.ts'

// Files share an isolate, as starting one for each takes as long as they do; each finds databases, buckets and objects as after a seed,
// and a Worker that has kept nothing.
await reset()
await setUpDatabases(tables, storage)
const engine = engineOf(app)
Object.assign(servicesFor(engine)(env as never), servicesFor({ ...engine })(env as never))
