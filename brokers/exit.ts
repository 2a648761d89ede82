import { onExit } from 'signal-exit'

const endings = new Set<() => void>()
let unlisten: (() => void) | undefined

/** Calls `end`, which must not wait for anything, when this process exits or dies of a signal. Answers how to call that off. */
export function endWithProcess(end: () => void): () => void {
  endings.add(end)
  unlisten ??= onExit(endAll)
  return () => {
    endings.delete(end)
    if (endings.size > 0) return
    unlisten?.()
    unlisten = undefined
  }
}

function endAll(): void {
  for (const end of endings) end()
}
