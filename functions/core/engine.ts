/**
 * What is known of an app before anybody asks: read once in an isolate. Each area adds what it makes of the app.
 * @module
 */
import type { Catalog } from '../../db/catalog/catalog.ts'
import type { TableDeclarations } from '../../db/catalog/declarations.ts'
import type { NotedPlacements } from '../../db/catalog/noted-placements.ts'
import type { IsolateBudget } from '../../db/memory/isolate-budget.ts'
import type { CoreConfig } from './config.ts'
import type { PendingWork } from './pending-work.ts'

/** What every app brings. */
export interface CoreApp {
  readonly tables: TableDeclarations
  /** Names of the migrations that every database must have; none are asked for when left out. */
  readonly migrations?: readonly string[]
  /** Of tables that are to be converted, where their rows lie until then: set by `functions/placed-app.ts`. */
  readonly placed?: NotedPlacements
}

/** @typeParam Config the parts of the configuration that an area reads */
export interface CoreEngine<Config = CoreConfig> {
  readonly config: Config
  /** Tables where their rows lie. */
  readonly catalog: Catalog
  /** Tables where the app declares them: the same, but while some are to be converted. */
  readonly declared: Catalog
  readonly migrations: readonly string[]
  /** All roles that the app names, and those that every app has. */
  readonly roles: ReadonlySet<string>
  /** Names in SQL of tables whose changes areas tell on. */
  readonly followed: ReadonlySet<string>
  /** Of all that this isolate keeps for the app. */
  readonly budget: IsolateBudget
  /** Room for the bodies that are worked on. */
  readonly pending: PendingWork
}
