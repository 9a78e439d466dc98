/**
 * The app's own Hono handlers. `/functions/v1`.
 * @module
 */
import type { Area } from '../core/area.ts'
import type { RouteManifest } from './define-route.ts'
import { createRoutes } from './routes.ts'
import type { Engine } from './services.ts'

/** What an app brings for it. */
export interface RoutesApp {
  readonly routes?: RouteManifest
}

export const routes = {
  name: 'routes',
  routes: ({ catalog, config }: Engine, { routes: declared = {} }: RoutesApp) => [
    ['/functions/v1', createRoutes(declared, catalog, config)],
  ],
} satisfies Area
