/** What Cloudflare says of a request that it did not carry out. */
export interface ApiFault {
  readonly code: number
  readonly message: string
}

/** Cloudflare refused a request, or could not be asked. The message says what can be done about it. */
export class RemoteError extends Error {
  /** HTTP status of its answer; null when there was none. */
  readonly status: number | null
  readonly faults: readonly ApiFault[]

  constructor(
    message: string,
    {
      status = null,
      faults = [],
      cause,
    }: { status?: number | null; faults?: readonly ApiFault[]; cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'RemoteError'
    this.status = status
    this.faults = faults
  }
}

/** The answer to something that writes was lost: it may have been carried out, or not. Look before it is sent again. */
export class UnknownOutcomeError extends RemoteError {
  constructor(what: string, because: RemoteError) {
    super(`${because.message}\nWhether ${what} was carried out is not known.`, {
      status: because.status,
      faults: because.faults,
      cause: because,
    })
    this.name = 'UnknownOutcomeError'
  }
}
