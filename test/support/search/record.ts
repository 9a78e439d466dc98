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

/** A random query of `to_tsquery`'s language. */
function tsQuery(depth: number): string {
  const roll = random()
  if (depth === 0 || roll < 0.3) return pick(nouns)
  // Beginnings of words that say nothing are found here, and nowhere by PostgreSQL.
  if (roll < 0.4)
    return `${pick(nouns.filter((noun) => !['the', 'over', 'and'].includes(noun))).slice(0, 3)}:*`
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

const operators = Object.keys(makers) as Operator[]
const asked = operators.flatMap((operator) =>
  [...new Set(Array.from({ length: 120 }, makers[operator]))]
    .slice(0, 90)
    .map((query) => ({ operator, query })),
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
    execFileSync('psql', ['-h', folder, '-U', 'nobody', '-d', 'postgres', '-At', '-c', sql], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
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
  const answers = asked.map(({ operator, query }) => {
    const sql = `SELECT coalesce(json_agg(id ORDER BY id), '[]') FROM (VALUES ${rows.join(', ')}) AS t (id, body) WHERE to_tsvector('english', body) @@ ${functions[operator]}('english', ${quote(query)})`
    return { operator, query, rows: JSON.parse(psql(sql).split('\n')[0] as string) as number[] }
  })
  const lines = answers.map((answer) => `  ${JSON.stringify(answer)}`)
  writeFileSync(join(import.meta.dirname, 'answers.json'), `[\n${lines.join(',\n')}\n]\n`)
} finally {
  const ended = new Promise((done) => server.once('exit', done))
  // What was started may be another's parent: the server's own number is in its folder.
  process.kill(Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]), 'SIGINT')
  await ended
  rmSync(folder, { recursive: true, force: true })
}
