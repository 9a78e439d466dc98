import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { htmlOf } from './html-report.ts'
import { type LoadReport, markdownOf } from './report.ts'

/** Writes a report as data, as text and as a page. @returns the files' paths */
export async function writeReport(report: LoadReport, folder: string): Promise<string[]> {
  mkdirSync(folder, { recursive: true })
  const name = `${report.startedAt.slice(0, 19).replaceAll(/[-:]/g, '')}-${report.scenario}`
  const files: [string, string][] = [
    ['json', `${JSON.stringify(report, null, 2)}\n`],
    ['md', markdownOf(report)],
    ['html', await htmlOf(report)],
  ]
  return files.map(([extension, text]) => {
    const file = join(folder, `${name}.${extension}`)
    writeFileSync(file, text)
    return file
  })
}
