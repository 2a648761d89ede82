import { JobportError, type ErrorCode } from '@jobport/core/driver'

/** AMQP's reply codes, and the words of amqplib and of sockets where there is no code. */
const DENIED = /ACCESS[-_]REFUSED|NOT[-_]ALLOWED|\b403\b|\b530\b|SASL mechanism|certificate|self[- ]signed/i
const AWAY = new RegExp(
  [
    'ECONN',
    'ENOTFOUND',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'ETIMEDOUT',
    'EPIPE',
    'EAI_AGAIN',
    'ENOENT',
    'Heartbeat timeout',
    'Connection clos',
    'Channel clos',
    'Channel ended',
    'channel closed',
    'Socket closed',
    'Unexpected close',
    'CONNECTION_FORCED',
    'does not have a running replica',
    'noproc',
    'timeout',
    'INTERNAL_ERROR',
    'process is stopped',
    'write after end',
  ].join('|'),
  'i',
)

/** What a native error means. `where` says during what. */
export function toJobportError(error: unknown, where: string): JobportError {
  if (error instanceof JobportError) return error
  const { message } = error as Error
  return new JobportError(codeOf(error), `${where}: ${message}`, { cause: error })
}

/** A `cause` may be absent. 404: there is no such queue or exchange. */
export function isMissing(error: unknown): boolean {
  return replyCode(error) === 404
}

/** 406: there is one of that name, with other arguments. */
export function isForeign(error: unknown): boolean {
  return replyCode(error) === 406 && /inequivalent arg/.test((error as Error).message)
}

/** 405: it belongs to another connection alone. */
export function isLocked(error: unknown): boolean {
  return replyCode(error) === 405
}

function codeOf(error: unknown): ErrorCode {
  const { name, message } = error as Error
  const text = `${name} ${String((error as NodeJS.ErrnoException).code ?? '')} ${message}`
  if (isForeign(error)) return 'SERVER_UNSUITABLE'
  // what it refers to has just been removed; it is declared anew
  if (AWAY.test(text) || isMissing(error)) return 'UNAVAILABLE'
  if (DENIED.test(text)) return 'ACCESS_DENIED'
  return replyCode(error) === undefined ? 'UNAVAILABLE' : 'REJECTED'
}

function replyCode(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'number' ? code : undefined
}
