import { defineRealtime } from '../define.ts'

/** Tables whose changes are told to subscribers who may see them, and who may do what in private channels. */
export default defineRealtime({ tables: 'all' })
