import { JobportError, type ErrorCode } from '@jobport/core/driver'

const DENIED = /^(NOAUTH|WRONGPASS|NOPERM|ERR AUTH|ERR invalid password|ERR Client sent AUTH|DENIED)/
/** Redis runs no command then; the next may be served. */
const AWAY = /^(READONLY|LOADING|BUSY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|NOREPLICAS|MISCONF|UNBLOCKED|ERR max number of clients)/
const NOT_WRITTEN =
  /Stream isn't writeable|ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|timeout exceeded when trying to connect|timeout expired|connection timeout|pool after calling end/
const DISCONNECTED =
  /Connection is closed|Connection terminated|Client was closed|Command timed out|Query read timeout|max retries per request|ECONN|ETIMEDOUT|EPIPE|EAI_AGAIN|timeout exceeded/i

/** PostgreSQL's classes and codes: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const SQL_DENIED = /^(28...|42501)$/
const SQL_AWAY = /^(08...|25006|40001|40P01|53...|55P03|57014|57P0.)$/
const SQL_LOST = /^(08...|57P0[124])$/

/** A want of memory, a statement cut off by a limit of its time: what is asked for now may be what will never be done. */
const SQL_WANTING = /^(53200|53400|57014)$/

/** BullMQ's own words for a lease that is not held, by the code on its error. */
const LEASE_CODES: readonly unknown[] = [-1, -2, -3, -6]

/** What a native error means. `where` says during what. */
export function toJobportError(error: unknown, where: string): JobportError {
  if (error instanceof JobportError) return error
  const { message } = error as Error
  return new JobportError(codeOf(error), `${where}: ${message}`, { cause: error })
}

/** The server refused the write, or it was never sent: nothing was stored. */
export function isRefusal(error: unknown): boolean {
  if (NOT_WRITTEN.test(textOf(error))) return true
  const { name } = error as Error
  const state = sqlState(error)
  return name === 'ReplyError' || (state !== undefined && !SQL_LOST.test(state)) || !DISCONNECTED.test(textOf(error))
}

/** Trouble that may pass by itself: the connection, or a server that serves no writes now. */
export function isPassing(error: unknown): boolean {
  return codeOf(error) === 'UNAVAILABLE' || (error as Error).message.startsWith('OOM')
}

/** Passing trouble in which the store serves nobody: there is nothing to do but to wait. In other trouble it may refuse just this. */
export function isOutage(error: unknown): boolean {
  const { cause } = error as Error
  return codeOf(error) === 'UNAVAILABLE' && !SQL_WANTING.test(sqlState(error) ?? (cause ? sqlState(cause) : undefined) ?? '')
}

/** BullMQ found the lease missing or another's, the job gone or elsewhere. */
export function isLeaseLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return ('code' in error && LEASE_CODES.includes(error.code)) || error.message.startsWith('could not renew lock')
}

function codeOf(error: unknown): ErrorCode {
  const { message } = error as Error
  const state = sqlState(error)
  if (DENIED.test(message) || (state !== undefined && SQL_DENIED.test(state))) return 'ACCESS_DENIED'
  if (AWAY.test(message) || (state !== undefined && SQL_AWAY.test(state))) return 'UNAVAILABLE'
  if (state === undefined && (DISCONNECTED.test(textOf(error)) || NOT_WRITTEN.test(textOf(error)))) return 'UNAVAILABLE'
  return 'REJECTED'
}

/** The name, code and message at once: clients put the same fault in different places. */
function textOf(error: unknown): string {
  const { name, message } = error as Error
  return `${name} ${String((error as NodeJS.ErrnoException).code ?? '')} ${message}`
}

function sqlState(error: unknown): string | undefined {
  const { code, severity } = error as { code?: unknown; severity?: unknown }
  return typeof code === 'string' && severity !== undefined ? code : undefined
}
