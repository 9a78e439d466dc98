/** What whoever called a command did wrong; its message is all that they are shown. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
