/**
 * Types that the app declares of itself. `database` is what `npm run types` writes: with it, `api` knows tables, columns and
 * functions; without it, `api` takes any.
 *
 * @example declare module '../define.ts' {
 *   interface AppTypes { database: Database }
 * }
 */
// biome-ignore lint/suspicious/noEmptyInterface: apps add to it
export interface AppTypes {}
