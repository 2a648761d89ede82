import { JobportError } from '@jobport/core/driver'

/** Stands where something is to be written; delete it with its last use. */
export function unwritten(what: string): Promise<never> {
  return Promise.reject(new JobportError('UNAVAILABLE', `example: ${what} is not written yet`))
}
