/**
 * What all commands share: a mistake of the user's is told in words, and ends with status 1.
 * @module
 */

/** Names of errors whose messages are for people. */
const told = new Set([
  'SchemaError',
  'JobsError',
  'StorageError',
  'OriginsError',
  'MigrationError',
  'RemoteError',
  'UsageError',
  'UnknownOutcomeError',
])

/** @param usage is shown with arguments that are not understood */
export async function runCommand(usage: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    console.error(describe(error, usage))
    process.exitCode = 1
  }
}

/** An error as a command tells it: in words where it is the user's, with its stack where it is ours. */
export function describe(error: unknown, usage: string): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as { code?: string }
  if (code?.startsWith('ERR_PARSE_ARGS')) return `${error.message}\n  ${usage}`
  if (told.has(error.name)) return error.message
  // What esbuild says of the app's files.
  if ('errors' in error) return error.message
  // What the app's own files do not export, or say in a way that cannot be read.
  if (error instanceof SyntaxError || code === 'ERR_MODULE_NOT_FOUND')
    return `The app cannot be read: ${error.message}`
  // Of the databases: another process at work on them, or a connection that broke.
  if (/^D1_ERROR|Network connection lost/.test(error.message))
    return `${error.message}\n  Run it again: what is done already is left alone.`
  return error.stack ?? error.message
}
