import { ExampleDriver } from './driver.ts'
import type { ExampleOptions } from './options.ts'

export { ExampleDriver, type ExampleOptions }

/** What `connect('example://…')` and `{ adapter: 'example' }` call. */
export function createDriver(config: string | ExampleOptions): ExampleDriver {
  return new ExampleDriver(config)
}
