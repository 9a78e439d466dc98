/**
 * The front door of `functions/`: what the app's files in `functions/app/` import.
 * @module
 */
import type { AtollConfig } from './config.ts'

/**
 * The app's configuration; what is left out has the default that `AtollConfig` names.
 *
 * @example export default defineConfig({ maxRows: 500 })
 */
export function defineConfig(config: Partial<AtollConfig>): Partial<AtollConfig> {
  return config
}
