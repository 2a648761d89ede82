import { JobportError } from '@jobport/core/driver'

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
