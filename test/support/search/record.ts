/**
 * `node test/support/search/record.ts`: asks a PostgreSQL 15 on this machine, which it starts and stops by itself, for what random queries find,
 * and writes it to `answers.json`. The test that reads that needs no PostgreSQL.
 * @module
 */
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededRandom } from '../seeded-random.ts'
import { texts } from './texts.ts'

const nouns = [
  'cat',
  'cats',
  'rat',
  'fox',
  'dogs',
  'hunt',
  'hunting',
  'sea',
  'the',
  'over',
  'salt',
  'Night',
  'zebra',
  'and',
]
const random = seededRandom(20_261_130)
const pick = <Value>(list: readonly Value[]): Value => list[Math.floor(random() * list.length)] as Value

const beginnings = nouns
  .filter((noun) => !['the', 'over', 'and'].includes(noun))
  .map((noun) => noun.slice(0, 3))

/** A random query of `to_tsquery`'s language. */
function tsQuery(depth: number): string {
  const roll = random()
  if (depth === 0 || roll < 0.3) return pick(nouns)
  // Beginnings of words that say nothing are found here, and nowhere by PostgreSQL.
  if (roll < 0.4) return `${pick(beginnings)}:*`
  if (roll < 0.55) return `!(${tsQuery(depth - 1)})`
  if (roll < 0.65) return `${pick(nouns)}<->${pick(nouns)}`
  const operator = roll < 0.85 ? '&' : '|'
  return `(${tsQuery(depth - 1)} ${operator} ${tsQuery(depth - 1)})`
}

function webQuery(): string {
  const length = 1 + Math.floor(random() * 4)
  return Array.from({ length }, () => {
    const roll = random()
    if (roll < 0.15) return 'or'
    if (roll < 0.35) return `-${pick(nouns)}`
    if (roll < 0.5) return `"${pick(nouns)} ${pick(nouns)}"`
    return pick(nouns)
  }).join(' ')
}

const plainQuery = () => Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(nouns)).join(' ')

/** A random query of words at distances, of which each may be any query itself. */
function placesQuery(depth: number): string {
  const part = (): string => {
    const roll = random()
    if (depth === 0 || roll < 0.45) return pick(nouns)
    if (roll < 0.52) return `${pick(beginnings)}:*`
    if (roll < 0.62) return `!${pick(nouns)}`
    if (roll < 0.67) return `!(${placesQuery(depth - 1)})`
    if (roll < 0.8) return `(${pick(nouns)} | ${pick(nouns)})`
    if (roll < 0.84) return `(${pick(nouns)} | !${pick(nouns)})`
    if (roll < 0.88) return `(${placesQuery(0)} ${pick(['&', '|'])} ${pick(nouns)})`
    return `(${placesQuery(depth - 1)})`
  }
  const length = random() < 0.65 ? 2 : 3
  const sign = () => pick([' <-> ', '<->', ' <2> ', '<2>', '<3>', '<1>', '<0>', ' <5> '])
  return Array.from({ length }, (_, i) => (i === 0 ? '' : sign()) + part()).join('')
}

/** The same, beside queries that need no places. */
function mixedQuery(): string {
  const roll = random()
  if (roll < 0.6) return placesQuery(2)
  return `${roll < 0.7 ? '!' : ''}(${placesQuery(1)}) ${pick(['&', '|'])} ${tsQuery(1)}`
}

/** Words in a row, with those between that say nothing. */
const rowQuery = () =>
  Array.from({ length: 2 + Math.floor(random() * 4) }, () => pick([...nouns, 'the', 'and', 'of'])).join(' ')
const quotedQuery = () => `${pick(['', '-'])}"${rowQuery()}" ${pick([...nouns, 'or cat', ''])}`
const quotedTerm = () => `'${rowQuery()}'${pick(['', ':*'])} ${pick(['&', '|', '<->', '<2>'])} ${pick(nouns)}`
const weighted = () =>
  `${pick(nouns)}:${pick(['A', 'B', 'D', 'AD', '*'])} ${pick(['&', '|', '<->'])} ${tsQuery(1)}`

const makers = {
  fts: () => tsQuery(3),
  wfts: webQuery,
  plfts: plainQuery,
  phfts: plainQuery,
} as const
const functions = {
  fts: 'to_tsquery',
  wfts: 'websearch_to_tsquery',
  plfts: 'plainto_tsquery',
  phfts: 'phraseto_tsquery',
} as const
type Operator = keyof typeof makers

interface Asked {
  readonly config: 'english' | 'simple'
  readonly operator: Operator
  readonly query: string
}

/** As many different queries as are wanted, or as are found in a few more tries. */
function some(config: Asked['config'], operator: Operator, make: () => string, wanted: number): Asked[] {
  const queries = [...new Set(Array.from({ length: Math.ceil((wanted * 4) / 3) }, make))]
  return queries.slice(0, wanted).map((query) => ({ config, operator, query }))
}

const operators = Object.keys(makers) as Operator[]
const asked = [
  ...operators.flatMap((operator) => some('english', operator, makers[operator], 90)),
  ...some('english', 'fts', mixedQuery, 300),
  ...some('english', 'phfts', rowQuery, 60),
  ...some('english', 'wfts', quotedQuery, 60),
  ...some('english', 'fts', quotedTerm, 40),
  ...some('english', 'fts', weighted, 30),
]
// Accents are letters to PostgreSQL, and to `simple` here; functions/rest/GUIDE.md says so of `english`.
nouns.push('crème', 'creme')
beginnings.push('crè')
asked.push(
  ...operators.flatMap((operator) => some('simple', operator, makers[operator], 50)),
  ...some('simple', 'fts', mixedQuery, 150),
  ...some('simple', 'phfts', rowQuery, 40),
  ...some('simple', 'fts', quotedTerm, 20),
)

const folder = mkdtempSync(join(tmpdir(), 'search-'))
chmodSync(folder, 0o777)
const isRoot = process.getuid?.() === 0
const asOther = (command: string, args: readonly string[]): [string, string[]] =>
  isRoot ? ['runuser', ['-u', 'nobody', '--', command, ...args]] : [command, [...args]]
const data = join(folder, 'data')
execFileSync(...asOther('initdb', ['-D', data, '-U', 'nobody', '-E', 'UTF8', '--no-locale']), {
  stdio: 'ignore',
})
const server = spawn(...asOther('postgres', ['-D', data, '-k', folder, '-c', 'listen_addresses=']), {
  stdio: 'ignore',
})
try {
  const psql = (sql: string) =>
    execFileSync(
      'psql',
      ['-h', folder, '-U', 'nobody', '-d', 'postgres', '-At', '-v', 'ON_ERROR_STOP=1', '-f', '-'],
      { encoding: 'utf8', input: sql, stdio: ['pipe', 'pipe', 'ignore'] },
    )
  for (let tries = 0; ; tries++) {
    try {
      psql('SELECT 1')
      break
    } catch (error) {
      if (tries > 50) throw error
      await new Promise((done) => setTimeout(done, 200))
    }
  }
  const quote = (text: string) => `'${text.replaceAll("'", "''")}'`
  const rows = texts.map((text, i) => `(${i + 1}, ${text === null ? 'NULL' : quote(text)})`)
  const questions = asked.map(
    ({ config, operator, query }) =>
      `SELECT coalesce(json_agg(id ORDER BY id), '[]') FROM (VALUES ${rows.join(', ')}) AS t (id, body) WHERE to_tsvector('${config}', body) @@ ${functions[operator]}('${config}', ${quote(query)});`,
  )
  const told = psql(questions.join('\n')).trim().split('\n')
  const answers = asked.map((one, i) => ({ ...one, rows: JSON.parse(told[i] as string) as number[] }))
  const lines = answers.map((answer) => `  ${JSON.stringify(answer)}`)
  writeFileSync(join(import.meta.dirname, 'answers.json'), `[\n${lines.join(',\n')}\n]\n`)
} finally {
  const ended = new Promise((done) => server.once('exit', done))
  // What was started may be another's parent: the server's own number is in its folder.
  process.kill(Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]), 'SIGINT')
  await ended
  rmSync(folder, { recursive: true, force: true })
}
