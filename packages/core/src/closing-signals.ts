import { constants } from 'node:os'
import { JobportError } from './errors.ts'

type Close = () => void

/** Who closes on which signal. The process has one listener per signal, however many brokers it has. */
const closers = new Map<NodeJS.Signals, Set<Close>>()
/** What a signal has come for, and what is not closed yet. */
const closing = new Set<Close>()
/** Nobody can listen to these. */
const DEAF: ReadonlySet<string> = new Set(['SIGKILL', 'SIGSTOP'])

/**
 * Calls `close` when `signal` comes. A signal that comes while something is closing ends the process at once. Returns how to cancel
 * it. Throws `INVALID_ARGUMENT`.
 */
export function closeOnSignal(signal: NodeJS.Signals, close: Close): () => void {
  if (!Object.hasOwn(constants.signals, signal) || DEAF.has(signal))
    throw new JobportError('INVALID_ARGUMENT', `closeOn takes names of signals, as 'SIGTERM', not '${String(signal)}'`)
  const registered = closers.get(signal) ?? new Set<Close>()
  if (registered.size === 0) {
    process.on(signal, onSignal)
    closers.set(signal, registered)
  }
  registered.add(close)
  return () => {
    closing.delete(close)
    if (!registered.delete(close) || registered.size > 0) return
    process.off(signal, onSignal)
    closers.delete(signal)
  }
}

function onSignal(signal: NodeJS.Signals): void {
  if (closing.size > 0) return end(signal)
  for (const close of [...(closers.get(signal) ?? [])]) {
    closing.add(close)
    close()
  }
}

/** By the signal itself, so that a parent sees it; as process 1 of a container, which no signal ends, by its exit code. */
function end(signal: NodeJS.Signals): void {
  for (const name of closers.keys()) process.off(name, onSignal)
  process.kill(process.pid, signal)
  process.exit(128 + constants.signals[signal])
}
