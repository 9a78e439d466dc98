import type { PostgrestClient } from '@supabase/postgrest-js'
import type { DataClient } from '../../functions/define.ts'

/** A client of `api` that takes any table, whatever types the app declares of its own. */
export function anyTables(client: DataClient): PostgrestClient {
  return client as unknown as PostgrestClient
}
