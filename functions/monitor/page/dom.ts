/**
 * Elements by function calls. Text goes in as text, so nothing that a row or an event says is taken for markup.
 * @module
 */
type Child = Node | string | number | null | false | undefined

interface Attributes {
  readonly [name: string]: string | number | boolean | null | undefined | ((event: Event) => void)
}

/** An element; attributes that begin with `on` are listeners. */
export function h<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name)
  for (const [attribute, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(attribute.slice(2), value)
    else if (value === true) element.setAttribute(attribute, '')
    else if (value !== false && value !== null && value !== undefined)
      element.setAttribute(attribute, String(value))
  }
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false)
      element.append(child instanceof Node ? child : String(child))
  }
  return element
}

export interface TableColumn<Row> {
  readonly title: string
  readonly isNumber?: boolean
  cell(row: Row): Child
}

/** A table that scrolls by itself where it is too wide. */
export function tableOf<Row>(
  columns: readonly TableColumn<Row>[],
  rows: readonly Row[],
  nothing: string,
): HTMLElement {
  if (rows.length === 0) return h('p', { class: 'quiet' }, nothing)
  const head = columns.map(({ title, isNumber }) =>
    h('th', { scope: 'col', class: isNumber ? 'number' : null }, title),
  )
  const body = rows.map((row) =>
    h(
      'tr',
      {},
      ...columns.map(({ cell, isNumber }) => h('td', { class: isNumber ? 'number' : null }, cell(row))),
    ),
  )
  return h(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'table' },
    h('table', {}, h('thead', {}, h('tr', {}, ...head)), h('tbody', {}, ...body)),
  )
}

export function card(title: string, value: Child, note: Child = null): HTMLElement {
  return h(
    'div',
    { class: 'card' },
    h('h3', {}, title),
    h('strong', {}, value),
    note ? h('small', {}, note) : null,
  )
}

export function section(title: string, ...children: readonly Child[]): HTMLElement {
  return h('section', {}, h('h2', {}, title), ...children)
}

export function badge(text: string, kind: 'good' | 'bad' | 'plain'): HTMLElement {
  return h('span', { class: `badge ${kind}` }, text)
}

const numbers = new Intl.NumberFormat('en', { maximumFractionDigits: 1, notation: 'compact' })

export function count(n: number): string {
  return n < 10_000
    ? new Intl.NumberFormat('en', { maximumFractionDigits: n < 10 ? 2 : 1 }).format(n)
    : numbers.format(n)
}

export function bytes(n: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let unit = 0
  let left = n
  for (; left >= 1000 && unit < units.length - 1; unit++) left /= 1000
  return `${count(left)} ${units[unit]}`
}

export function ms(n: number | null): string {
  if (n === null || Number.isNaN(n)) return '–'
  return n < 1000 ? `${count(n)} ms` : `${count(n / 1000)} s`
}

export function dollars(n: number): string {
  return n === 0 ? '$0' : n < 0.01 ? `$${n.toPrecision(2)}` : `$${n.toFixed(2)}`
}

export function time(at: number): string {
  return new Date(at).toLocaleTimeString()
}

/** Date and time of day, where the browser is. @param at ISO 8601 */
export function dateTime(at: string): string {
  return new Date(at).toLocaleString()
}

/** Who has come to a button by keyboard stays at it, though it is made anew. */
export function keepingFocus(within: HTMLElement, replace: () => void): void {
  const focused = document.activeElement
  const key = focused instanceof HTMLElement && within.contains(focused) ? focused.dataset.key : undefined
  replace()
  if (key !== undefined) within.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`)?.focus()
}
