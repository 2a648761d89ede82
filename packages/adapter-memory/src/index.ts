import { MemoryDriver } from './driver.ts'
import type { MemoryOptions } from './options.ts'

export { MemoryDriver, type MemoryOptions }
export { VirtualClock } from './clock.ts'

/** What `connect('memory://')` and `{ adapter: 'memory' }` call. */
export function createDriver(config: string | MemoryOptions): MemoryDriver {
  return new MemoryDriver(config)
}
