/**
 * Tables that wait to come to lie elsewhere, and the conversion that brings them there.
 * @module
 */
import type { ConversionStatus, PlannedConversion, ShownConversion } from '../../shards/shown.ts'
import { askAs } from './ask.ts'
import { attempts } from './attempts.ts'
import { confirmName } from './confirm-name.ts'
import { badge, bytes, count, dateTime, h, ms, section, tableOf } from './dom.ts'
import { openDialog } from './open-dialog.ts'
import type { Page } from './page.ts'

const phases: Readonly<Record<ShownConversion['state'], string>> = {
  gathering: 'slots come together on DB',
  filling: 'rows are looked at, and lookup entries made',
  changing: 'the tables are about to change',
  spreading: 'slots go back to where they were',
  done: 'the tables lie where the code says',
  cancelled: 'the tables lie where they lay',
  failed: 'the tables lie where they lay',
}
/** What is no longer under way. */
const over: ReadonlySet<string> = new Set(['done', 'cancelled', 'failed'])

/** Shown where a table waits, or one has been converted. */
export function conversionPart(): Required<Page> {
  let waiting: ConversionStatus['pending'] = []
  const { failure, attempt } = attempts()
  const latest = h('p', { 'aria-live': 'polite' })
  const pending = h('div')
  const post = async (path: string, body: object) => {
    await askAs('POST', `/shards/v1/conversion${path}`, body)
    await refresh()
  }
  const plan = h(
    'button',
    { type: 'button', onclick: () => void attempt(showPlan) },
    'What converting would do',
  )
  const convert = h(
    'button',
    {
      type: 'button',
      onclick: () =>
        confirmName(
          'Convert tables',
          `${waiting.map(({ table, to }) => `${table} comes to be ${to}`).join('; ')}. All slots come to DB for it, and go back; requests go on, and wait for a moment while tables change.`,
          waiting[0]?.table ?? '',
          () => post('', {}),
        ),
    },
    'Convert',
  )
  const cancel = h(
    'button',
    { type: 'button', class: 'danger', onclick: () => void attempt(() => post('/cancel', {})) },
    'Cancel the conversion',
  )
  const element = section(
    'Tables to be converted',
    failure,
    latest,
    pending,
    h('div', { class: 'inline' }, plan, convert, cancel),
  )
  element.hidden = true
  const refresh = async () => {
    const answer = await askAs('GET', '/shards/v1/conversion?count=none')
    const { conversion, pending: found } = (await answer.json()) as ConversionStatus
    waiting = found
    const isUnderWay = conversion !== null && !over.has(conversion.state)
    element.hidden = conversion === null && found.length === 0
    latest.replaceChildren(...(conversion === null ? [] : stateOf(conversion)))
    pending.replaceChildren(pendingTable(found))
    plan.hidden = found.length === 0 || isUnderWay
    convert.hidden = plan.hidden
    cancel.hidden = !isUnderWay || conversion.state === 'spreading'
    cancel.disabled = conversion?.isCancelled ?? false
  }
  return { element, refresh }
}

function stateOf(conversion: ShownConversion): (Node | string)[] {
  const { state, error, isCancelled, notBefore, pausedMs, tables, updated } = conversion
  const isOver = over.has(state)
  const said = [
    phases[state],
    isCancelled && !isOver ? 'it is being cancelled' : null,
    state === 'changing' && Date.parse(notBefore) > Date.now() ? `not before ${dateTime(notBefore)}` : null,
    pausedMs === null ? null : `nobody was answered for ${ms(pausedMs)}`,
    error,
  ].filter((part) => part !== null)
  const kind = state === 'failed' || (error !== null && !isOver) ? 'bad' : state === 'done' ? 'good' : 'plain'
  const names = tables.map(({ table, to }) => `${table}, to be ${to}`).join('; ')
  return [
    badge(state, kind),
    ` ${names}: ${said.join('; ')} `,
    h('small', {}, isOver ? dateTime(updated) : ''),
  ]
}

function pendingTable(pending: ConversionStatus['pending']): HTMLElement {
  return tableOf<ConversionStatus['pending'][number]>(
    [
      { title: 'Table', cell: ({ table }) => table },
      { title: 'Lies', cell: ({ from }) => from },
      { title: 'Is to be', cell: ({ to }) => to },
    ],
    pending,
    'Every table lies where the code says.',
  )
}

async function showPlan(): Promise<void> {
  const answer = await askAs('GET', '/shards/v1/conversion/plan')
  const { tables, moves, bytes: all, pausedMs } = (await answer.json()) as PlannedConversion
  const dialog = openDialog(
    'What converting would do',
    tableOf<PlannedConversion['tables'][number]>(
      [
        { title: 'Table', cell: ({ table }) => table },
        { title: 'Lies', cell: ({ from }) => from },
        { title: 'Comes to be', cell: ({ to }) => to },
        { title: 'Rows', isNumber: true, cell: ({ rows }) => count(rows) },
      ],
      tables,
      'No table.',
    ),
    tableOf<PlannedConversion['moves'][number]>(
      [
        { title: 'To DB and back', cell: ({ from }) => from },
        { title: 'Slots', isNumber: true, cell: ({ slotCount }) => count(slotCount) },
        { title: 'About', isNumber: true, cell: (move) => bytes(move.bytes) },
        {
          title: 'Takes each way',
          isNumber: true,
          cell: ({ seconds }) => (seconds === null ? '?' : ms(seconds * 1000)),
        },
      ],
      moves,
      'All slots are on DB already.',
    ),
    h(
      'p',
      {},
      `All databases together have ${bytes(all)}${pausedMs === null ? '' : `; the last conversion let nobody be answered for ${ms(pausedMs)}`}.`,
    ),
    h('button', { type: 'button', onclick: () => dialog.close() }, 'Close'),
  )
}
