import { RabbitMQDriver } from './driver.ts'
import type { RabbitMQOptions } from './options.ts'

export { RabbitMQDriver, type RabbitMQOptions }
export type { Node } from './options.ts'

/** What `connect('amqp://…')` and `{ adapter: 'rabbitmq' }` call. */
export function createDriver(config: string | RabbitMQOptions): RabbitMQDriver {
  return new RabbitMQDriver(config)
}
