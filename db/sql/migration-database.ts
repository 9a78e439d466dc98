/** What migrations need of a database; D1's own binding has it. */
export interface MigrationStatement {
  bind(...values: (string | number | null)[]): MigrationStatement
  all<T>(): Promise<{ results: T[] }>
}

/** As much of D1's binding as commands need, wherever the database lies. */
export interface MigrationDatabase {
  prepare(text: string): MigrationStatement
  /** Runs all statements or none. */
  batch(statements: MigrationStatement[]): Promise<unknown>
}
