import { NatsDriver } from './driver.ts'
import type { NatsOptions } from './options.ts'

export { NatsDriver, type NatsOptions }

/** What `connect('nats://…')` and `{ adapter: 'nats' }` call. */
export function createDriver(config: string | NatsOptions): NatsDriver {
  return new NatsDriver(config)
}
