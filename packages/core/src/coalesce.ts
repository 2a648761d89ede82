import type { Writable } from 'node:stream'

/**
 * Has what is written to `stream` in one turn of the event loop leave together, in one system call for each `most` writes:
 * the other side can begin while the rest is made. Once for each stream.
 */
export function coalesceWrites(stream: Writable, most: number = Infinity): void {
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean
  let held = 0
  const release = (): void => {
    if (held > 0) stream.uncork()
    held = 0
  }
  const corked = (...args: unknown[]): boolean => {
    if (held === most) release()
    if (held === 0) {
      stream.cork()
      process.nextTick(release)
    }
    held++
    return write(...args)
  }
  stream.write = corked as Writable['write']
}
