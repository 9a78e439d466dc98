import type { FunctionManifest } from '../../define.ts'

/** Functions by the names that they are called by at `/rest/v1/rpc/<name>`, each made by `defineFunction` in a file of its own. */
export default {} satisfies FunctionManifest
