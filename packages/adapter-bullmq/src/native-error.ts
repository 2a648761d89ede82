import type { JobError } from '@jobport/core/driver'

/**
 * An error for BullMQ to store. BullMQ acts on some names, whoever throws them; core has decided already, so what a
 * handler has thrown must read as nothing but an error. PostgreSQL stores no NUL.
 */
export function nativeError({ message, stack }: JobError = { name: 'Error', message: 'to be run again' }): Error {
  const text = storable(message)
  const error = new Error(text)
  error.stack = storable(stack ?? `${error.name}: ${text}`)
  return error
}

export function storable(text: string): string {
  return text.replaceAll('\0', '').toWellFormed()
}
