import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..', '..')

/** All pages but those of packages and of tools, whether git knows of the folder or not. */
const pages = ['db', 'functions', 'test', 'findings']
  .filter((folder) => existsSync(join(root, folder)))
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((page) => join(folder, page)),
  )
  .concat(readdirSync(root))
  .filter((page) => page.endsWith('.md'))
  .sort()

/** A page without what stands in blocks of code. */
const proseOf = (text: string) => text.replace(/^( *)(`{3,})[^\n]*\n[\s\S]*?^\1\2 *$/gm, '')

/** What GitHub makes of headings: in lower case, without marks, blanks as hyphens; the second of a name ends in `-1`. */
function anchorsOf(text: string): Set<string> {
  const seen = new Map<string, number>()
  const anchors = new Set<string>()
  for (const [, heading = ''] of proseOf(text).matchAll(/^#{1,6} +(.+?)(?: +#+)? *$/gm)) {
    const shown = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    const anchor = shown
      .toLowerCase()
      .replace(/[^\p{L}\p{M}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-')
    const times = seen.get(anchor) ?? 0
    seen.set(anchor, times + 1)
    anchors.add(times === 0 ? anchor : `${anchor}-${times}`)
  }
  return anchors
}

/** Where a page's links lead, without those in code. */
function linksOf(text: string): string[] {
  const prose = proseOf(text).replace(/(`+)(?!`)[\s\S]*?[^`]\1(?!`)|`[^`\n]`/g, (code) =>
    code.replaceAll(/[[\]()]/g, ' '),
  )
  const inline = [...prose.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)]
  const defined = [...prose.matchAll(/^ {0,3}\[[^\]]+\]: +<?([^\s>]+)/gm)]
  return [...inline, ...defined].map(([, target = '']) => target)
}

/** Why a link of a page leads nowhere; null when it leads somewhere, or out of the project. */
function faultOf(page: string, target: string, read: (file: string) => string): string | null {
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return null
  const [path = '', anchor] = target.split('#').map(decodeURIComponent)
  const file = path === '' ? page : normalize(join(dirname(page), path))
  if (file.startsWith('..') || path.startsWith('/')) return `${page}: ${target} leads out of the project`
  if (!existsSync(join(root, file))) return `${page}: ${target} is not there`
  if (anchor === undefined || !file.endsWith('.md') || statSync(join(root, file)).isDirectory()) return null
  return anchorsOf(read(file)).has(anchor) ? null : `${page}: ${target} names no heading of ${file}`
}

describe('links of pages', () => {
  const read = (file: string) => readFileSync(join(root, file), 'utf8')

  it('lead to files and headings that are there', () => {
    const links = pages.flatMap((page) => linksOf(read(page)).map((target) => [page, target] as const))
    expect(links.length).toBeGreaterThan(50)
    expect(links.map(([page, target]) => faultOf(page, target, read)).filter((fault) => fault)).toEqual([])
  })

  it('are read as GitHub reads them', () => {
    const page =
      '# `npm run dev`, told\n## Told\n## Told\n```md\n# no heading\n[no](link)\n```\n[a](b.md#c "d"), `[e](f)`\n[g]: h.md'
    expect([...anchorsOf(page)]).toEqual(['npm-run-dev-told', 'told', 'told-1'])
    expect(linksOf(page)).toEqual(['b.md#c', 'h.md'])
    expect(faultOf('README.md', '#nowhere', () => page)).toContain('names no heading')
    expect(faultOf('README.md', 'nowhere.md', () => page)).toContain('is not there')
    expect(faultOf('README.md', '#told-1', () => page)).toBeNull()
  })

  // A fork has a front page of its own.
  it.skipIf(!read('README.md').startsWith('# Atoll\n'))('lead from the front page to every guide', () => {
    const guides = pages.filter((page) => page.endsWith('GUIDE.md'))
    const listed = new Set(linksOf(read('README.md')).map((target) => target.split('#')[0]))
    expect(guides.filter((guide) => !listed.has(guide))).toEqual([])
  })
})
