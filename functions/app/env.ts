import type {} from '../define.ts'

/** What this app has in its environment beside what Atoll brings: bindings and variables of `wrangler.toml`, secrets of `.dev.vars`. */
declare module '../define.ts' {
  interface AppEnv {
    /** Whom labels are printed for. */
    readonly STORE_NAME?: string
  }
}
