import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..', '..')

/** The Worker and the scripts, which join app and engine. */
const joins = new Set([
  'functions/join-app.ts',
  'functions/local/prepare.ts',
  'functions/local/types.ts',
  'functions/local/dev.ts',
  'functions/local/load-app.ts',
  'db/commands/app-tables.ts',
])
/** The tables of accounts are a front door as well: the app's schema takes them in with all their names, as drizzle-kit wants them. */
const frontDoors = new Set(['functions/define.ts', 'db/define.ts', 'db/auth/schema.ts'])

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

  it('keeps the app to the front doors and its own files', () => {
    const broken = files
      .filter(isApp)
      .flatMap((file) => importsOf(file).filter((imported) => !isApp(imported) && !frontDoors.has(imported)))
    expect(broken).toEqual([])
  })
})

describe('the rule of the environment', () => {
  it('lets only the core, what opens an area and what finds its store read env', () => {
    const allowed = /^functions\/(?:core\/(?:config|context)|[a-z-]+\/area|cache\/open-store)\.ts$/
    const broken = files.filter(
      (file) =>
        !allowed.test(file) && !isApp(file) && /\benv\.[A-Z]/.test(readFileSync(join(root, file), 'utf8')),
    )
    expect(broken).toEqual([])
  })
})

/** Rooms of the Worker from bottom to top, as `functions/areas.ts` lists them. */
const listed = /export const areas = \[([^\]]*)\]/.exec(
  readFileSync(join(root, 'functions/areas.ts'), 'utf8'),
)
const areas = (listed?.[1] ?? '')
  .split(',')
  .map((name) => name.trim().replace('ownCode', 'own-code'))
  .filter((name) => name !== '')
const rooms = ['core', ...areas, 'relay']
/** Those of `db/`. */
const dbRooms = [
  'errors',
  'sql',
  'memory',
  'slots',
  'values',
  'catalog',
  'auth',
  'changes',
  'system',
  'cluster',
  'moves',
  'restores',
  'backups',
  'doors',
  'migrate',
  'conversions',
  'seed',
  'commands',
]
/** What stands on the developer's machine, and knows all. */
const outside = new Set(['app', 'local'])

const roomOf = (file: string) => /^(?:functions|db)\/([^/]+)\//.exec(file)?.[1] ?? null

describe('the rule of rooms', () => {
  it('sees every room', () => {
    const found = (folder: string) =>
      new Set(files.filter((file) => file.startsWith(folder)).flatMap((file) => roomOf(file) ?? []))
    expect(areas.length).toBeGreaterThan(10)
    expect([...found('functions/')].sort()).toEqual([...rooms, ...outside].sort())
    expect([...found('db/')].sort()).toEqual([...dbRooms, 'app'].sort())
  })

  it('lets an area know the core, and of areas below it their front', () => {
    const broken = files.flatMap((file) => {
      const [own, place] = [roomOf(file), rooms.indexOf(roomOf(file) ?? '')]
      // The dashboard's page is another program.
      const isPage = file.startsWith('functions/monitor/page/')
      if (!file.startsWith('functions/') || own === null || outside.has(own) || isPage) return []
      return importsOf(file)
        .filter((imported) => {
          const room = roomOf(imported)
          if (!imported.startsWith('functions/') || room === own) return false
          const isFront = room === 'core' || imported === `functions/${room}/area.ts`
          return room === null || !isFront || rooms.indexOf(room) > place
        })
        .map((imported) => `${file} imports ${imported}`)
    })
    expect(broken).toEqual([])
  })

  it('lets what is inside an area leave its front alone', () => {
    const broken = files.filter((file) => importsOf(file).includes(`functions/${roomOf(file)}/area.ts`))
    expect(broken).toEqual([])
  })

  it('lets a room of db know those below it, and nothing of the Worker', () => {
    const broken = files.flatMap((file) => {
      const place = dbRooms.indexOf(roomOf(file) ?? '')
      if (!file.startsWith('db/') || place < 0) return []
      return importsOf(file)
        .filter((imported) => {
          const room = roomOf(imported)
          if (room === 'app') return false
          if (!imported.startsWith('db/')) return true
          return imported !== 'db/define.ts' && (room === null || dbRooms.indexOf(room) > place)
        })
        .map((imported) => `${file} imports ${imported}`)
    })
    expect(broken).toEqual([])
  })

  it('has no circle, types counted', () => {
    expect(circlesOf(new Map(files.map((file) => [file, importsOf(file)])))).toEqual([])
    expect(circlesOf(new Map(Object.entries({ a: ['b'], b: ['c'], c: ['b'], d: ['a'] })))).toEqual([
      ['b', 'c'],
    ])
  })
})

/** Groups of files that lead to each other, by Tarjan's algorithm (https://doi.org/10.1137/0201010). */
function circlesOf(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const [index, low] = [new Map<string, number>(), new Map<string, number>()]
  const stack: string[] = []
  const circles: string[][] = []
  const visit = (file: string): void => {
    index.set(file, index.size)
    low.set(file, index.get(file) as number)
    stack.push(file)
    for (const next of imports.get(file) ?? []) {
      if (!index.has(next)) visit(next)
      if (stack.includes(next)) low.set(file, Math.min(low.get(file) as number, low.get(next) as number))
    }
    if (low.get(file) !== index.get(file)) return
    const circle = stack.splice(stack.indexOf(file))
    if (circle.length > 1) circles.push(circle.sort())
  }
  for (const file of imports.keys()) if (!index.has(file)) visit(file)
  return circles
}

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
            !/^functions\/rest\/(?:errors|config|services|define-function)\.ts$/.test(imported),
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
