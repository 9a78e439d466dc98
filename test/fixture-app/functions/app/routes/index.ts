import type { RouteManifest } from '../../define.ts'
import label from './label.ts'

/** Hono apps by the names that they are served under, at `/functions/v1/<name>`. */
export default { label } satisfies RouteManifest
