/**
 * The data API. `/rest/v1`.
 * @module
 */
import type { Area } from '../core/area.ts'
import { restDefaults } from './config.ts'
import { type FunctionManifest, functionsNamed } from './define-function.ts'
import { duties } from './duties.ts'
import { errors } from './errors.ts'
import { type ServedSchemas, serveSchemas } from './plan/served-schemas.ts'
import { createRest, type Rest } from './rest.ts'
import type { Engine } from './services.ts'

// What areas above it use.
export { type Budget, openBudgets } from './ask/budget.ts'
export { checkBodyOf } from './ask/check-body.ts'
export { mediaType } from './ask/parse-payload.ts'
export { seenAmongLogged } from './compile/seen-among-logged.ts'
export type { RestConfig } from './config.ts'
export type { ServedSchemas } from './plan/served-schemas.ts'
export type { Engine, Services } from './services.ts'

/** What an app brings for it. */
export interface RestApp {
  readonly functions?: FunctionManifest
}

/** What the area makes of an app. */
export interface RestEngine {
  readonly rest: Rest
  readonly schemas: ServedSchemas
}

export const rest = {
  name: 'rest',
  defaults: restDefaults,
  roles: ({ functions = {} }: RestApp) =>
    Object.keys(functions).flatMap((name) =>
      functionsNamed(functions, name).flatMap(({ roles = [] }) => roles),
    ),
  errors,
  duties,

  read({ functions = {} }: RestApp, { catalog, config, migrations, budget, pending }: Engine): RestEngine {
    const schemas = serveSchemas(catalog, functions, config.schemas)
    return { schemas, rest: createRest(catalog, schemas, config, migrations, budget, pending) }
  },

  routes: ({ rest: { routes } }: RestEngine) => [['/rest/v1', routes]],
} satisfies Area
