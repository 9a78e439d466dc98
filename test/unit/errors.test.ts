import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { areas } from '../../functions/areas.ts'

const root = join(import.meta.dirname, '..', '..')

interface Code {
  readonly code: string
  readonly status: string
  readonly message: string
  readonly room: string
}

/** A code of Atoll's own families. */
const ownCode = '(?:ACCESS|AUTH|BACKUP|BOUND|CALL|SHARD|IDEM|CACHE|JOB|STORE|PROXY|REAL|PROOF|MON)\\d{3}'

/** Where errors are raised: by the one class, or by a room's own words for it. */
const raised =
  /(?:new AtollError|proxyError|unauthorized)\(\s*(?:(\d{3}|signedIn \? 403 : 401),\s*)?'([A-Z0-9]+)',\s*(?:'((?:[^'\\]|\\.)*)'|`((?:[^`\\]|\\.)*)`|"((?:[^"\\]|\\.)*)"|messages\[by\])/g
/** As budgets have them: code, perhaps a status, what is counted, and whether a smaller question or a smaller body helps. */
const bounded = /code: '(BOUND\d+)',\s*(?:status: (\d+),\s*)?what: '([^']+)'(?:,\s*\.\.\.(simpler|smaller))?/g

function codesIn(file: string): Code[] {
  const text = readFileSync(join(root, file), 'utf8')
  const room = file.split('/').slice(0, -1).join('/')
  const shown = (message: string) => message.replace(/\$\{[^}]*\}/g, '…').replaceAll('|', '\\|')
  return [
    ...[...text.matchAll(raised)].map(([, status = '401', code = '', a, b, c]) => ({
      code,
      status: status.startsWith('signedIn') ? '401, 403' : status,
      message: shown(a ?? b ?? c ?? '…'),
      room,
    })),
    ...[...text.matchAll(bounded)].map(([, code = '', status, what = '', kind]) => ({
      code,
      status: status ?? (kind === 'smaller' ? '413' : '400'),
      message: `The request has … ${what}; … are allowed`,
      room,
    })),
  ]
}

const files = globSync('{db,functions}/**/errors.ts', { cwd: root })
  .map((file) => file.replaceAll('\\', '/'))
  .sort()
const codes = files.flatMap(codesIn)
const own = codes.filter(({ code }) => new RegExp(`^${ownCode}$`).test(code))

describe("Atoll's own codes", () => {
  it('are raised by one room each', () => {
    expect(own.length).toBeGreaterThan(90)
    const rooms = Map.groupBy(own, ({ code }) => code)
    const shared = [...rooms].filter(([, uses]) => new Set(uses.map(({ room }) => room)).size > 1)
    expect(shared.map(([code]) => code)).toEqual([])
  })

  it('are shown by the front of the area that raises them', () => {
    const raising = files.flatMap((file) => /^functions\/([^/]+)\/errors\.ts$/.exec(file)?.[1] ?? [])
    const showing = areas.flatMap((area) => ('errors' in area ? [area.name as string] : []))
    expect(showing).toEqual(expect.arrayContaining(raising.filter((room) => room !== 'core')))
  })

  it('are all found where errors are raised', () => {
    const known = new Set(own.map(({ code }) => code))
    const named = files.flatMap((file) => [
      ...readFileSync(join(root, file), 'utf8').matchAll(new RegExp(`'(${ownCode})'`, 'g')),
    ])
    expect(named.map(([, code]) => code).filter((code) => !known.has(code as string))).toEqual([])
  })

  it('are listed, with what they say (npx vitest -u writes the list)', async () => {
    const rows = [...Map.groupBy(own, ({ code }) => code)]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([code, uses]) => {
        const [{ status, room }] = uses as [Code]
        const messages = [...new Set(uses.map(({ message }) => message))].join('; ')
        return `| \`${code}\` | ${status} | ${messages} | [${room}](../../${room}/errors.ts) |`
      })
    const list = [
      '# Codes',
      '',
      "Atoll's own error codes, with what they say; `details` and `hint` of an answer say more. Codes `PGRST…` and those of five characters are PostgREST's and",
      "PostgreSQL's. This list is made from the code by `test/unit/errors.test.ts`.",
      '',
      '| code | status | message | raised by |',
      '| --- | --- | --- | --- |',
      ...rows,
      '',
    ].join('\n')
    await expect(list).toMatchFileSnapshot(join(root, 'functions/core/CODES.md'))
  })
})
