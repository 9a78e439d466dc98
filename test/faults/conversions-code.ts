/**
 * The code that converts tables and serves them meanwhile, as it is, or with one rule broken on purpose.
 * @module
 */
import type { buildCatalog } from '../../db/catalog/build-catalog.ts'
import type { migrateCluster } from '../../db/migrate/migrate-cluster.ts'
import type { engineOf, servicesFor } from '../../functions/areas.ts'
import type { createWorker } from '../../functions/gateway.ts'
import type { PlacedApps } from '../../functions/placed-app.ts'
import type { MoverRounds } from '../../functions/shards/area.ts'
import { type CodeMutant, loadMutant } from './load-mutant.ts'

export interface ConversionsCode {
  readonly buildCatalog: typeof buildCatalog
  readonly migrateCluster: typeof migrateCluster
  readonly engineOf: typeof engineOf
  readonly servicesFor: typeof servicesFor
  readonly createWorker: typeof createWorker
  readonly PlacedApps: typeof PlacedApps
  readonly MoverRounds: typeof MoverRounds
}

/** Loads the code with a rule broken; as it is for null. */
export function loadConversions(mutant: CodeMutant | null): Promise<ConversionsCode> {
  return loadMutant(
    `export { buildCatalog } from './db/catalog/build-catalog.ts'
export { migrateCluster } from './db/migrate/migrate-cluster.ts'
export { engineOf, servicesFor } from './functions/areas.ts'
export { createWorker } from './functions/gateway.ts'
export { PlacedApps } from './functions/placed-app.ts'
export { MoverRounds } from './functions/shards/area.ts'`,
    /(?:db\/(?:cluster|moves|conversions|migrate|catalog|system)|functions\/(?:shards|placed-app))[^ ]*\.ts$/,
    mutant,
  )
}
