import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..', '..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const files = globSync('{functions,db}/**/*.ts', { cwd: root })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => !/\/app\/|\/page\/|\/blank\//.test(file))

const roomOf = (file: string) => file.split('/').slice(0, 2).join('/')

/** Names that a statement names, without what they are called there. */
function namesIn(list: string): string[] {
  return list
    .split(',')
    .map(
      (name) =>
        name
          .trim()
          .replace(/^type /, '')
          .split(' as ')[0] as string,
    )
    .filter((name) => name !== '')
}

/** What stands before a declaration; null when it is declared elsewhere. */
function commentOf(file: string, name: string): string | null {
  const kinds = '(?:declare |async |abstract )*(?:function|const|class|interface|type)'
  const found = new RegExp(`^(?:.*\\n)??export ${kinds} ${name}\\b`, 'm').exec(read(file))
  if (found === null) return null
  const before = read(file).slice(0, found.index + found[0].lastIndexOf('export '))
  return /\*\/\n(?:\/\/ biome-ignore[^\n]*\n)?$/.test(before) ? 'there' : ''
}

describe('what a room shows to others', () => {
  it('says what it is: the fronts of areas', () => {
    const shown = files
      .filter((file) => file.endsWith('/area.ts') && file !== 'functions/core/area.ts')
      .flatMap((front) =>
        [...read(front).matchAll(/export (?:type )?\{([^}]*)\} from '(\.\/[^']+)'/g)].flatMap(
          ([, list = '', from = '']) =>
            namesIn(list).map((name) => [normalize(join(dirname(front), from)), name] as const),
        ),
      )
    expect(shown.length).toBeGreaterThan(80)
    expect(shown.filter(([file, name]) => commentOf(file, name) === '')).toEqual([])
  })

  it('says what it is: what rooms of db export to each other and to areas', () => {
    const shown = files.flatMap((file) =>
      [...read(file).matchAll(/import (?:type )?\{([^}]*)\} from '(\.[^']+)'/g)].flatMap(
        ([, list = '', from = '']) => {
          const source = normalize(join(dirname(file), from))
          if (!source.startsWith('db/') || roomOf(source) === roomOf(file)) return []
          return namesIn(list).map((name) => [source, name] as const)
        },
      ),
    )
    expect(shown.length).toBeGreaterThan(200)
    expect(new Set(shown.filter(([file, name]) => commentOf(file, name) === '').map(String))).toEqual(
      new Set(),
    )
  })
})
