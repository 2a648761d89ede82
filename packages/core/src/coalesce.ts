import type { Writable } from 'node:stream'

/** Has what is written to `stream` in one turn of the event loop leave together, in one system call. Once for each stream. */
export function coalesceWrites(stream: Writable): void {
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean
  let isCorked = false
  const corked = (...args: unknown[]): boolean => {
    if (!isCorked) {
      isCorked = true
      stream.cork()
      process.nextTick(() => {
        isCorked = false
        stream.uncork()
      })
    }
    return write(...args)
  }
  stream.write = corked as Writable['write']
}
