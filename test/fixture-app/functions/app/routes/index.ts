import type { RouteManifest } from '../../define.ts'
import announce from './announce.ts'
import label from './label.ts'

/** Hono apps by the names that they are served under, at `/functions/v1/<name>`. */
export default { announce, label } satisfies RouteManifest
