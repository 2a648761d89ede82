import type { Receipt } from './receipt.ts'

/** Programs act on `code`, people read `message`. The set is closed: a new code is a breaking change. */
export type ErrorCode =
  /** A value that Jobport cannot accept. Thrown before any I/O. */
  | 'INVALID_ARGUMENT'
  /** The broker's configuration, with all mistakes in one message. */
  | 'INVALID_CONFIG'
  /** The chosen adapter's package is not installed; the message holds the command. */
  | 'ADAPTER_MISSING'
  /** The adapter does not declare the feature. Thrown before any I/O. */
  | 'NOT_SUPPORTED'
  /** The payload is larger than the server's limit. Thrown before any I/O. */
  | 'PAYLOAD_TOO_LARGE'
  /** The broker cannot be reached now. */
  | 'UNAVAILABLE'
  /** The broker refused the credentials, or an action that they do not permit. */
  | 'ACCESS_DENIED'
  /** The server's version or configuration cannot keep the contract. */
  | 'SERVER_UNSUITABLE'
  /** The broker refused the job; nothing was stored. */
  | 'REJECTED'
  /** The job may or may not have been stored; adding it again under the same given id is safe. */
  | 'UNCONFIRMED'
  /** Some jobs of an `addMany` were not added: see `receipts` and `failures`. */
  | 'PARTLY_ADDED'
  /** A live job holds the id. */
  | 'DUPLICATE'
  | 'NOT_FOUND'
  /** A stored job that cannot be read. */
  | 'INVALID_MESSAGE'
  /** The job is no longer this worker's; whatever it did may be done again. */
  | 'LEASE_LOST'
  /** A call, a job's run or a stop took longer than allowed. */
  | 'TIMEOUT'
  /** The broker or worker is closed or closing. */
  | 'CLOSED'

interface Details extends ErrorOptions {
  readonly id?: string
  readonly receipts?: readonly (Receipt | undefined)[]
  readonly failures?: ReadonlyMap<number, JobportError>
}

/** Longest message, in characters: some quote what they were given. */
const MAX_MESSAGE = 8_192

/** The only error that Jobport throws by itself. `cause` keeps the native one. */
export class JobportError extends Error {
  override readonly name = 'JobportError'
  readonly code: ErrorCode
  /** Of `UNCONFIRMED`, `REJECTED` and `DUPLICATE`: the job's id. */
  declare readonly id?: string
  /** Of `PARTLY_ADDED`: by index, one per job that was added. */
  declare readonly receipts?: readonly (Receipt | undefined)[]
  /** Of `PARTLY_ADDED`: by index, one per job that was not. */
  declare readonly failures?: ReadonlyMap<number, JobportError>

  constructor(code: ErrorCode, message: string, { cause, id, receipts, failures }: Details = {}) {
    super(redact(message.slice(0, MAX_MESSAGE)), cause === undefined ? undefined : { cause: withoutSecrets(cause) })
    this.code = code
    if (id !== undefined) this.id = id
    if (receipts) this.receipts = receipts
    if (failures) this.failures = failures
  }
}

export function leaseLost({ name, id }: { readonly name: string; readonly id: string }): JobportError {
  return new JobportError('LEASE_LOST', `${name} ${id} is no longer this worker's`, { id })
}

/** Also of another copy of this package, as an adapter may bring one. */
export function isJobportError(error: unknown): error is JobportError {
  try {
    return error instanceof Error && error.name === 'JobportError' && 'code' in error
  } catch {
    return false
  }
}

/** Throw it from a handler to skip the remaining attempts. Recognised by `name`, so BullMQ's own class counts too. */
export class UnrecoverableError extends Error {
  override readonly name = 'UnrecoverableError'
}

export interface RetryOptions {
  /** Wait before the next run, ms. */
  readonly delay: number
  /** `false` runs it later without spending an attempt. Default `true`. */
  readonly countAttempt?: boolean
}

/** Throw it from a handler to choose the wait before the next run, whatever the backoff says. */
export class RetryError extends Error {
  override readonly name = 'RetryError'
  readonly delay: number
  readonly countAttempt: boolean

  constructor(message: string, { delay, countAttempt = true }: RetryOptions) {
    super(message)
    if (!Number.isFinite(delay) || delay < 0) throw new JobportError('INVALID_ARGUMENT', 'RetryError: delay must be ms ≥ 0')
    this.delay = delay
    this.countAttempt = countAttempt
  }
}

/** Takes user names, passwords and tokens out of URLs, wherever they stand in `text`; rather too much than too little. */
export function redact(text: string): string {
  const bare = text.includes('@') ? text.replace(/\S+/g, withoutLogin) : text
  return bare.replace(/([?&](?:pass|password|token)=)[^&\s]+/gi, '$1***')
}

/** A word without what stands between its first `://` and its last `@`. Tokens of cloud providers can be thousands of characters. */
function withoutLogin(word: string): string {
  const start = word.search(/[a-z0-9+.-]:\/\//i) + 4
  const end = word.lastIndexOf('@')
  return start > 3 && end >= start ? `${word.slice(0, start)}***${word.slice(end)}` : word
}

/** Native errors can hold credentials in the text and, as ioredis does with AUTH, in the command they quote. */
function withoutSecrets(cause: unknown): unknown {
  try {
    return cause instanceof Error ? redacted(cause) : cause
  } catch {
    // a handler's error whose fields throw when they are read or written
    return undefined
  }
}

function redacted(cause: Error): Error {
  if ('command' in cause) Reflect.deleteProperty(cause, 'command')
  for (const key of ['message', 'stack'] as const) {
    const text = cause[key]
    if (typeof text === 'string' && redact(text) !== text) cause[key] = redact(text)
  }
  if (cause.cause !== undefined) withoutSecrets(cause.cause)
  return cause
}
