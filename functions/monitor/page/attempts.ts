import { Refused } from './ask.ts'
import { h } from './dom.ts'

/** Where it is said why something was refused, and what tries things. */
export interface Attempts {
  readonly failure: HTMLElement
  attempt(work: () => Promise<void>): Promise<void>
}

export function attempts(): Attempts {
  const failure = h('p', { class: 'failure', role: 'alert', hidden: true })
  return {
    failure,
    async attempt(work) {
      failure.hidden = true
      try {
        await work()
      } catch (error) {
        failure.textContent = error instanceof Refused ? error.message : String(error)
        failure.hidden = false
      }
    },
  }
}
