import type { JobManifest } from '../../define.ts'

/** What happens later, each made by `defineJob` in a file of its own. */
export default [] satisfies JobManifest
