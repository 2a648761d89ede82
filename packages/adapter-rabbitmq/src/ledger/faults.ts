import { JobportError } from '@jobport/core/driver'

/** What went wrong with the ledger, in our terms. */
export function toLedgerError(error: unknown, stream: string): JobportError {
  if (error instanceof JobportError) return error
  const { code, message } =
    error instanceof Error ? (error as Error & { code?: unknown }) : { code: undefined, message: String(error) }
  const what = `ledger ${stream}: ${message}`
  if (code === 403) return new JobportError('ACCESS_DENIED', what, { cause: error })
  if (code === 406 && message.includes('inequivalent')) return new JobportError('SERVER_UNSUITABLE', what, { cause: error })
  return new JobportError('UNAVAILABLE', what, { cause: error })
}

/** Rejects with `UNAVAILABLE` if `work` takes longer; what becomes of it then is ignored. */
export async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new JobportError('UNAVAILABLE', `${what}: no answer within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
