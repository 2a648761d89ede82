import type { JobError } from '@jobport/core/driver'

const SHORTEST = 64

/** The error as JSON of at most `bytes`: cut where it is longest, its stack before its message. */
export function errorText(error: JobError, bytes: number): string {
  let cut = error
  for (;;) {
    const text = JSON.stringify(cut)
    if (Buffer.byteLength(text) <= bytes) return text
    const { name, message, stack = '' } = cut
    if (stack.length > SHORTEST) cut = { name, message, stack: half(stack) }
    else if (message.length > SHORTEST) cut = { name, message: half(message) }
    else if (name !== 'Error' || message !== '') cut = { name: 'Error', message: '' }
    else return text
  }
}

function half(text: string): string {
  return text.slice(0, Math.floor(text.length / 2)).toWellFormed()
}
