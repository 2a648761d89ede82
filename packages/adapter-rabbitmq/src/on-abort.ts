const listening = new WeakMap<AbortSignal, Set<() => void>>()

/**
 * Calls `late` when `signal` fires; the answer ends that. One listener for all: a signal looks through those that it
 * has whenever one comes or goes.
 */
export function onAbort(signal: AbortSignal, late: () => void): () => void {
  let calls = listening.get(signal)
  if (!calls) {
    const all = (calls = new Set())
    listening.set(signal, all)
    signal.addEventListener('abort', () => all.forEach((call) => call()))
  }
  const known = calls.add(late)
  return () => void known.delete(late)
}
