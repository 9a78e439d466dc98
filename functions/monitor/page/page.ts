/** A page: what it shows, and what is done every few seconds while it is open. */
export interface Page {
  readonly element: HTMLElement
  refresh?(): Promise<void>
}
