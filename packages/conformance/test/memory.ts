import { randomUUID } from 'node:crypto'
import { MemoryDriver } from '@jobport/adapter-memory'
import type { Driver } from '@jobport/core/driver'
import type { Harness } from '../src/harness.ts'

/** The memory adapter on a store of its own; `wrap` may spoil it. */
export function memory(wrap: (driver: Driver) => Driver = (driver) => driver): Harness {
  const store = randomUUID()
  return { name: 'memory', createDriver: () => wrap(new MemoryDriver({ store })) }
}
