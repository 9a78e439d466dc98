import type { AtollConfig } from '../../../functions/areas.ts'

/** Where the Worker is told how the next cases' server differs. */
export const configurePath = '/configure'

/** How it does. */
export interface Configured {
  readonly config: Partial<AtollConfig>
  readonly jwtSecret: string
}
