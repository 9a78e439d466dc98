/**
 * The engine's code, as it is, or with one rule of a protocol broken on purpose.
 * @module
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const root = join(import.meta.dirname, '..', '..')

export interface CodeMutant {
  readonly name: string
  readonly file: string
  /** What stands in the file, once, and what is put in its place. */
  readonly from: string
  readonly to: string
}

/**
 * Loads code as one module.
 *
 * @param contents exports of what is asked for, from files of the project
 * @param files those that mutants may change
 * @param mutant null: as it is
 * @param always what is changed in any case
 */
export async function loadMutant<Code>(
  contents: string,
  files: RegExp,
  mutant: CodeMutant | null,
  always: readonly CodeMutant[] = [],
): Promise<Code> {
  const folder = mkdtempSync(join(tmpdir(), 'atoll-mutant-'))
  const outfile = join(folder, 'code.mjs')
  try {
    await build({
      stdin: { contents, resolveDir: root },
      bundle: true,
      format: 'esm',
      platform: 'node',
      outfile,
      plugins: [
        {
          name: 'mutant',
          setup(building) {
            // What only workerd has, and none of the checkers uses.
            building.onResolve({ filter: /^cloudflare:/ }, ({ path }) => ({ path, namespace: 'absent' }))
            building.onLoad({ filter: /.*/, namespace: 'absent' }, () => ({
              contents: 'export const connect = undefined',
            }))
            building.onLoad({ filter: files }, ({ path }) => {
              let text = readFileSync(path, 'utf8')
              for (const { name, file, from, to } of mutant === null ? always : [...always, mutant]) {
                if (!path.endsWith(file)) continue
                if (text.split(from).length !== 2) throw new Error(`${name}: ${from} is not there once`)
                text = text.replace(from, () => to)
              }
              return { contents: text, loader: 'ts' }
            })
          },
        },
      ],
    })
    return (await import(pathToFileURL(outfile).href)) as Code
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
