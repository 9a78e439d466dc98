import type { RouteManifest } from '../../define.ts'

/** Hono apps by the names that they are served under at `/functions/v1/<name>`. */
export default {} satisfies RouteManifest
