import { h } from './dom.ts'

/** Opens a dialog that is gone when it is closed. */
export function openDialog(title: string, ...children: readonly Node[]): HTMLDialogElement {
  const dialog: HTMLDialogElement = h(
    'dialog',
    { 'aria-label': title, onclose: () => dialog.remove() },
    h('h2', {}, title),
    ...children,
  )
  document.body.append(dialog)
  dialog.showModal()
  return dialog
}
