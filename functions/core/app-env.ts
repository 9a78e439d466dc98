import type { CoreEnv } from './context.ts'

/**
 * The Worker's bindings, variables and secrets: Atoll's, and those that the app adds to them.
 *
 * @example declare module '../define.ts' {
 *   interface AppEnv { readonly MAIL_KEY?: string }
 * }
 */
export interface AppEnv extends CoreEnv {}
