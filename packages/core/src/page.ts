import { JobportError } from './errors.ts'

export interface PageOptions {
  /** Jobs per page, at most 1,000. Default 100. */
  readonly limit?: number
  /** From the page before. `undefined`: the first page. */
  readonly cursor?: string | undefined
}

/** Throws `INVALID_ARGUMENT`. */
export function checkPage({ limit = 100, cursor, ...rest }: PageOptions): { limit: number; cursor?: string } {
  const unknown = Object.keys(rest)
  if (unknown.length > 0) throw new JobportError('INVALID_ARGUMENT', `unknown option '${unknown[0]}'; known: limit, cursor`)
  if (!Number.isInteger(limit) || limit < 1 || limit > 1_000) {
    throw new JobportError('INVALID_ARGUMENT', 'limit must be a whole number from 1 to 1000')
  }
  if (cursor !== undefined && typeof cursor !== 'string') throw new JobportError('INVALID_ARGUMENT', 'cursor must be a string')
  return { limit, ...(cursor !== undefined && { cursor }) }
}
