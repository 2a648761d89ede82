import { JobportError } from './errors.ts'
import { checkRecord, whole } from './options.ts'

export interface PageOptions {
  /** Jobs per page, at most 1,000. Default 100. */
  readonly limit?: number
  /** From the page before. `undefined`: the first page. */
  readonly cursor?: string | undefined
}

/** Throws `INVALID_ARGUMENT`. */
export function checkPage(options: PageOptions): { limit: number; cursor?: string } {
  checkRecord(options, '', RULES)
  const { limit = 100, cursor } = options
  return { limit, ...(cursor !== undefined && { cursor }) }
}

const RULES = {
  limit: whole(1, 1_000),
  cursor: (value: unknown): void => {
    if (typeof value !== 'string') throw new JobportError('INVALID_ARGUMENT', 'cursor must be a string')
  },
}
