/**
 * A run's report as one page that needs nothing else.
 * @module
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { build } from 'esbuild'
import { circumstances, type LoadReport, type Section, sectionsOf } from './report.ts'

const style = `
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; }
.scrolls { overflow-x: auto; }
table { border-collapse: collapse; margin: 1.2rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .8rem; border-bottom: 1px solid #8884; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
.missed { color: #dc2626; font-weight: 600; }
.about { color: #888; }
`

export async function htmlOf(report: LoadReport): Promise<string> {
  const { scenario, about, remarks, result } = report
  const data = {
    seconds: result.seconds,
    steps: Object.fromEntries(
      Object.entries(result.steps).map(([name, { distribution }]) => [name, distribution]),
    ),
  }
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(scenario)}: load</title>
<style>${chartStyle()}${style}</style>
<h1>${escaped(scenario)}</h1>
<p>${escaped(about)}</p>
<p class="about">${escaped(circumstances(report))}</p>
${sectionsOf(report).map(tableOf).join('\n')}
<ul>${remarks.map((remark) => `<li>${escaped(remark)}</li>`).join('')}</ul>
<div id="charts"></div>
<script type="application/json" id="data">${JSON.stringify(data).replaceAll('<', '\\u003c')}</script>
<script>${(await bundled()).replaceAll('</script', '<\\/script')}</script>
</html>
`
}

function tableOf({ head, rows }: Section): string {
  const cells = (tag: string, of: readonly string[]) =>
    of
      .map((text) => `<${tag}${text === 'missed' ? ' class="missed"' : ''}>${escaped(text)}</${tag}>`)
      .join('')
  const body = rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('\n')
  return `<div class="scrolls"><table><thead><tr>${cells('th', head)}</tr></thead><tbody>${body}</tbody></table></div>`
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

async function bundled(): Promise<string> {
  const entry = join(import.meta.dirname, 'page', 'main.ts')
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    write: false,
    target: 'es2022',
  })
  return outputFiles[0]?.text ?? ''
}

function chartStyle(): string {
  return readFileSync(createRequire(import.meta.url).resolve('uplot/dist/uPlot.min.css'), 'utf8')
}
