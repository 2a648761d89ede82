import { constants } from 'node:os'

type Close = () => void

/** Who closes on which signal. The process has one listener per signal, however many brokers it has. */
const closers = new Map<NodeJS.Signals, Set<Close>>()
/** A signal has come, and not all is closed yet. */
let closing = false

/** Calls `close` on the first signal of this process. The next one ends the process at once. Returns how to cancel it. */
export function closeOnSignal(signal: NodeJS.Signals, close: Close): () => void {
  const registered = closers.get(signal) ?? new Set<Close>()
  if (registered.size === 0) {
    closers.set(signal, registered)
    process.on(signal, onSignal)
  }
  registered.add(close)
  return () => {
    if (!registered.delete(close) || registered.size > 0) return
    process.off(signal, onSignal)
    closers.delete(signal)
    if (closers.size === 0) closing = false
  }
}

function onSignal(signal: NodeJS.Signals): void {
  if (closing) return end(signal)
  closing = true
  for (const close of [...(closers.get(signal) ?? [])]) close()
}

/** By the signal itself, so that a parent sees it; as process 1 of a container, which no signal ends, by its exit code. */
function end(signal: NodeJS.Signals): void {
  for (const name of closers.keys()) process.off(name, onSignal)
  process.kill(process.pid, signal)
  process.exit(128 + constants.signals[signal])
}
