/**
 * A database as wrangler reaches it, by its own commands and with its credentials: for migrations of databases that
 * are not on this machine.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What migrations need of a database; D1's own binding has it. */
export interface MigrationStatement {
  bind(...values: (string | number | null)[]): MigrationStatement
  all<T>(): Promise<{ results: T[] }>
}

export interface MigrationDatabase {
  prepare(text: string): MigrationStatement
  /** Runs all statements or none. */
  batch(statements: MigrationStatement[]): Promise<unknown>
}

class WranglerStatement implements MigrationStatement {
  readonly text: string
  readonly #run: (args: readonly string[]) => string

  constructor(text: string, run: (args: readonly string[]) => string) {
    this.text = text
    this.#run = run
  }

  /** Wrangler takes no parameters, so values become literals. */
  bind(...values: (string | number | null)[]): WranglerStatement {
    let next = 0
    const literal = (value: string | number | null | undefined) =>
      typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value ?? 'NULL')
    return new WranglerStatement(
      this.text.replace(/\?/g, () => literal(values[next++])),
      this.#run,
    )
  }

  async all<T>(): Promise<{ results: T[] }> {
    const [answer] = JSON.parse(this.#run(['--json', '--command', this.text])) as [{ results: T[] }]
    return { results: answer.results }
  }
}

/**
 * @param where wrangler's options that say which database: `--remote`, or `--local` and where
 */
export function wranglerDatabase(root: string, binding: string, where: readonly string[]): MigrationDatabase {
  const run = (args: readonly string[]) =>
    execFileSync('wrangler', ['d1', 'execute', binding, ...where, '--yes', ...args], {
      cwd: root,
      encoding: 'utf8',
    })
  return {
    prepare: (text) => new WranglerStatement(text, run),
    async batch(statements) {
      const folder = mkdtempSync(join(tmpdir(), 'atoll-migrate-'))
      try {
        const file = join(folder, 'batch.sql')
        writeFileSync(
          file,
          statements.map((statement) => `${(statement as WranglerStatement).text};\n`).join(''),
        )
        run(['--json', '--file', file])
      } finally {
        rmSync(folder, { recursive: true })
      }
    },
  }
}
