import { BullMQDriver } from './driver.ts'
import type { BullMQOptions } from './options.ts'

export { BullMQDriver }
export type { BullMQOptions, Keep, Node } from './options.ts'

/** What `connect('redis://…')`, `connect('postgres://…')` and `{ adapter: 'bullmq' }` call. */
export function createDriver(config: string | BullMQOptions): BullMQDriver {
  return new BullMQDriver(config)
}
