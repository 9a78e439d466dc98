import sales from './sales.ts'
import shop from './shop.ts'

/** Scenarios by name; `npm run load` runs the first unless another is named. */
export default { shop, sales }
