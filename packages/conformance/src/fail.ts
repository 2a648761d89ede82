/** A handler that fails. */
export const fail = (): never => {
  throw new Error('no')
}
