import { randomUUID } from 'node:crypto'
import { VirtualClock } from './clock.ts'
import { MemoryDriver } from './driver.ts'
import type { MemoryOptions } from './options.ts'

export { MemoryDriver, VirtualClock, type MemoryOptions }

/** What `connect('memory://')` and `{ adapter: 'memory' }` call. */
export function createDriver(config: string | MemoryOptions): MemoryDriver {
  return new MemoryDriver(config)
}

/** A broker of its own, and the clock that moves it: what the conformance suite plays histories on. */
export function openVirtual(): { createDriver(): MemoryDriver; readonly clock: VirtualClock } {
  const clock = new VirtualClock()
  const store = randomUUID()
  return { clock, createDriver: () => new MemoryDriver({ store, clock }) }
}
