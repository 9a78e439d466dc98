import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..', '..')

/** The Worker and the scripts, which join app and engine. */
const joins = new Set([
  'functions/local/join-app.ts',
  'functions/local/prepare.ts',
  'functions/local/types.ts',
  'functions/local/dev.ts',
  'functions/local/load-app.ts',
  'db/commands/app-tables.ts',
])
const frontDoors = new Set(['functions/define.ts', 'db/define.ts'])

const files = ['functions', 'db'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file)),
)

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8')
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((found) =>
    relative(root, join(root, file, '..', found[1] as string)),
  )
}

const isApp = (file: string) => /^(functions|db)\/app\//.test(file)

describe('the rule of app/', () => {
  it('sees the files it judges', () => {
    expect(files.length).toBeGreaterThan(40)
    expect(files.some(isApp)).toBe(true)
    expect(files.flatMap(importsOf).some(isApp)).toBe(true)
  })

  it('keeps engine code from importing the app', () => {
    const broken = files.filter((file) => !isApp(file) && !joins.has(file) && importsOf(file).some(isApp))
    expect(broken).toEqual([])
  })

  it('keeps the app to the two front doors and its own files', () => {
    const broken = files
      .filter(isApp)
      .flatMap((file) => importsOf(file).filter((imported) => !isApp(imported) && !frontDoors.has(imported)))
    expect(broken).toEqual([])
  })
})

describe('the rule of the environment', () => {
  it('lets only config.ts and context.ts read env', () => {
    const allowed = new Set(['functions/core/config.ts', 'functions/core/context.ts'])
    const broken = files.filter(
      (file) =>
        !allowed.has(file) && !isApp(file) && /\benv\.[A-Z]/.test(readFileSync(join(root, file), 'utf8')),
    )
    expect(broken).toEqual([])
  })
})

/** The stages of the data API, in their order; what keeps plans between requests and what answers them come after. */
const stages = ['ask', 'plan', 'compile', 'execute', 'answer', 'shapes', '']
const stageOf = (file: string) => /^functions\/rest\/(?:([^/]+)\/)?[^/]+$/.exec(file)?.slice(1)[0] ?? ''

describe('the rule of the pipeline', () => {
  it('lets a stage know those before it, and nothing of those after', () => {
    const inRest = files.filter((file) => file.startsWith('functions/rest/'))
    expect(new Set(inRest.map(stageOf))).toEqual(new Set(stages))
    const broken = inRest.flatMap((file) =>
      importsOf(file)
        .filter(
          (imported) =>
            imported.startsWith('functions/rest/') &&
            !/^functions\/rest\/(?:errors|config)\.ts$/.test(imported),
        )
        .filter((imported) => stages.indexOf(stageOf(imported)) > stages.indexOf(stageOf(file)))
        .map((imported) => `${file} imports ${imported}`),
    )
    expect(broken).toEqual([])
  })

  it('lets only the execute stage ask the cluster', () => {
    const broken = files.filter(
      (file) =>
        file.startsWith('functions/rest/') &&
        !file.startsWith('functions/rest/execute/') &&
        /\.batch\(|\.run\(site|session\.(?:run|on|onAll|primary)\(|\bfetch\(/.test(
          readFileSync(join(root, file), 'utf8'),
        ),
    )
    expect(broken).toEqual([])
  })
})
