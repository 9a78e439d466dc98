/**
 * Asks for a name before something is done that is not easily undone.
 * @module
 */
import { Refused } from './ask.ts'
import { h } from './dom.ts'
import { openDialog } from './open-dialog.ts'

/** Opens a dialog in which the name must be typed. @param work what is done then; what it refuses is shown there */
export function confirmName(title: string, text: string, name: string, work: () => Promise<void>): void {
  const failure = h('p', { class: 'failure', role: 'alert', hidden: true })
  const typed = h('input', {
    name: 'name',
    autocomplete: 'off',
    oninput: () => {
      begin.disabled = typed.value !== name
    },
  })
  const begin = h('button', { type: 'submit', disabled: true }, title)
  const submit = async (event: Event) => {
    event.preventDefault()
    begin.disabled = true
    try {
      await work()
      dialog.close()
    } catch (error) {
      failure.textContent = error instanceof Refused ? error.message : String(error)
      failure.hidden = false
      begin.disabled = false
    }
  }
  const dialog = openDialog(
    title,
    h(
      'form',
      { onsubmit: (event) => void submit(event) },
      h('p', {}, text),
      h('label', {}, `Type ${name}`, typed),
      failure,
      h(
        'div',
        { class: 'pager' },
        begin,
        h('button', { type: 'button', onclick: () => dialog.close() }, 'Leave it'),
      ),
    ),
  )
}
