/** The sample app's data API alone: nothing follows what is written. */
import tables from '../../db/app/tables.ts'
import { createGateway } from '../../functions/gateway.ts'

export default createGateway({ tables, config: {} })
