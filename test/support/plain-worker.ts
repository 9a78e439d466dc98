/** The sample app's data API alone: nothing follows what is written. */

import { createGateway } from '../../functions/gateway.ts'
import tables from '../fixture-app/db/app/tables.ts'

export default createGateway({ tables, config: {} })
