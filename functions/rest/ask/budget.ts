/**
 * What one request to the data API may ask, by role. An isolate has 128 MB and a database one thread: what a request costs them is
 * bounded before anything runs, as far as it can be told from the request.
 * @module
 */

/** Bounds of one request. Each has its own error, `BOUND001` and so on, which names it. */
export interface Budget {
  /** `BOUND001`: characters of the query string. */
  readonly queryLength: number
  /** `BOUND002`: embedded resources in a request. */
  readonly embeds: number
  /** `BOUND003`: embeds of many rows within each other along one path; a many-to-many embed is one level. */
  readonly toManyLevels: number
  /** `BOUND004`: how often a path may come back, by an embed of many rows, to a table that it has met already. */
  readonly returns: number
  /**
   * `BOUND005`: how often embedded rows are asked for in the statement: once for each that is shown, and once more for each `!inner`,
   * each filter that they be there and each term of `order` on them. What lies within others counts each time that those do.
   */
  readonly subqueries: number
  /** `BOUND006`: columns, JSON paths, aggregates and terms of `order` that a request names, embeds included; `*` is one. */
  readonly columns: number
  /** `BOUND007`: filters, embeds and logic trees included. */
  readonly filters: number
  /** `BOUND008`: levels of `and` and `or` within each other. */
  readonly logicLevels: number
  /** `BOUND009`: characters of what one filter compares with; lists have `listItems`. */
  readonly operandLength: number
  /** `BOUND010`: elements of an `in` list. */
  readonly listItems: number
  /** `BOUND011`: levels of a JSON value that a filter compares with. */
  readonly jsonLevels: number
  /** `BOUND012`: values in an array or JSON value that a filter compares with: each is looked for in each row. */
  readonly elements: number
  /** `BOUND013`: bytes of an answer, as D1 has it. What is longer than 2 MB is never one value in the database. */
  readonly answerBytes: number
  /** `BOUND014`: rows that a range passes over. They are read all the same. */
  readonly offset: number
  /** `BOUND015`: rows or groups of several databases that are brought together for one answer. */
  readonly mergedRows: number
  /** `BOUND016`: rows in a body. */
  readonly bodyRows: number
  /** `BOUND017`: values in a body, objects and arrays included; what JavaScript keeps of it depends on them more than on the bytes. */
  readonly bodyValues: number
  /** `BOUND018`: bytes of a body, of a function's arguments included; `maxBodyBytes` is above it for all. */
  readonly bodyBytes: number
}

/** Budgets by role, each as far as it differs from the default; roles of the app's own have that of `authenticated` but for what is said. */
export type Budgets = Readonly<Record<string, Partial<Budget>>>

const anon: Budget = {
  queryLength: 16_384,
  embeds: 20,
  toManyLevels: 4,
  returns: 1,
  subqueries: 60,
  columns: 200,
  filters: 100,
  logicLevels: 10,
  operandLength: 8192,
  listItems: 5000,
  jsonLevels: 20,
  elements: 200,
  answerBytes: 5_000_000,
  offset: 100_000,
  mergedRows: 10_000,
  bodyRows: 1000,
  bodyValues: 50_000,
  bodyBytes: 2_000_000,
}

const authenticated: Budget = {
  ...anon,
  embeds: 30,
  subqueries: 100,
  columns: 300,
  answerBytes: 8_000_000,
  offset: 1_000_000,
  bodyRows: 10_000,
  bodyValues: 200_000,
  bodyBytes: 5_000_000,
}

/** The secret key may ask for what an isolate can bear, and so may the app's own code by `api`, whoever called it. */
const service: Budget = {
  queryLength: 1_000_000,
  embeds: 60,
  toManyLevels: 10,
  returns: 6,
  subqueries: 500,
  columns: 2000,
  filters: 2000,
  logicLevels: 40,
  operandLength: 1_000_000,
  listItems: 100_000,
  jsonLevels: 30,
  elements: 2000,
  answerBytes: 10_000_000,
  offset: 100_000_000,
  mergedRows: 20_000,
  bodyRows: 100_000,
  bodyValues: 1_000_000,
  bodyBytes: 10_000_000,
}

export const defaultBudgets = { anon, authenticated, service_role: service } as const

/** The budget of each role, as configured. */
export function openBudgets(budgets: Budgets): (role: string) => Budget {
  const others = { ...authenticated, ...budgets.authenticated }
  const byRole = new Map<string, Budget>(Object.entries(defaultBudgets))
  for (const [role, own] of Object.entries(budgets))
    byRole.set(role, { ...(byRole.get(role) ?? others), ...own })
  return (role) => byRole.get(role) ?? others
}
