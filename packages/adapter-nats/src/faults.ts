import { JobportError, type ErrorCode } from '@jobport/core/driver'
import {
  AuthorizationError,
  ClosedConnectionError,
  ConnectionError,
  DrainingConnectionError,
  NoRespondersError,
  PermissionViolationError,
  RequestError,
  TimeoutError,
  UserAuthenticationExpiredError,
} from '@nats-io/transport-node'

/** JetStream's own codes: https://github.com/nats-io/nats-server/blob/main/server/errors.json */
export const CODES = {
  conflict: 10_071,
  /** Another write to the same subjects is under way. */
  inFlight: 10_164,
  tooManyBatches: 10_210,
  notEnabled: 10_039,
  streamMissing: 10_059,
  streamDiffers: 10_058,
  streamOverlaps: 10_065,
  consumerMissing: 10_014,
  consumerExists: 10_148,
  messageMissing: 10_037,
  maxBytesRequired: 10_113,
  notClustered: 10_074,
} as const

/** A message was not sent: it is larger than the server takes, or there is no connection. Nothing was stored. */
export class Unsent extends JobportError {}

/** The server's answer to a request of JetStream that it refused. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: number
  readonly status: number

  constructor({ err_code = 0, code = 0, description = '' }: { err_code?: number; code?: number; description?: string }) {
    super(description)
    this.code = err_code
    this.status = code
  }
}

/** What a native error means. `where` says during what. */
export function toJobportError(error: unknown, where: string): JobportError {
  if (error instanceof JobportError) return error
  const { message, name } = error as Error
  return new JobportError(codeOf(error), `${where}: ${message || name}`, { cause: error })
}

export function isRefusal(error: unknown, code: keyof typeof CODES): boolean {
  return error instanceof Refusal && error.code === CODES[code]
}

/** The stream or the consumer is not there. */
export function isMissing(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return code === CODES.streamMissing || code === CODES.consumerMissing
}

/** Nobody listens: the stream is gone, or JetStream not there yet. Nothing was stored. */
export function isUnheard(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return code === 503 || error instanceof NoRespondersError || (error instanceof RequestError && error.isNoResponders())
}

export function isLeaseLost(error: unknown): boolean {
  return error instanceof JobportError && error.code === 'LEASE_LOST'
}

/** Trouble that may pass by itself. */
export function isPassing(error: unknown): boolean {
  return codeOf(error) === 'UNAVAILABLE'
}

/** The server refused the write, or nobody was there to store it. */
export function isUnstored(error: unknown): boolean {
  return error instanceof Unsent || isUnheard(error) || codeOf(error) !== 'UNAVAILABLE' || error instanceof Refusal
}

function codeOf(error: unknown): ErrorCode {
  if (error instanceof JobportError) return error.code
  if (error instanceof Refusal) return error.status === 503 ? 'UNAVAILABLE' : 'REJECTED'
  if (isDenied(error)) return 'ACCESS_DENIED'
  return isAway(error) ? 'UNAVAILABLE' : 'REJECTED'
}

function isDenied(error: unknown): boolean {
  if (
    error instanceof AuthorizationError ||
    error instanceof UserAuthenticationExpiredError ||
    error instanceof PermissionViolationError
  )
    return true
  const { cause, message } = error as Error
  return /authorization violation|authentication/i.test(message) || (cause instanceof Error && isDenied(cause))
}

function isAway(error: unknown): boolean {
  const kinds = [TimeoutError, NoRespondersError, RequestError, ConnectionError, ClosedConnectionError, DrainingConnectionError]
  if (kinds.some((kind) => error instanceof kind)) return true
  const { code, message } = error as NodeJS.ErrnoException
  return /ECONN|ENOTFOUND|EAI_AGAIN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|connection refused|timeout|closed/i.test(
    `${code ?? ''} ${message}`,
  )
}
