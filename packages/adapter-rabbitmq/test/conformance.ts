import { openBroker } from '@jobport/brokers'
import { certify } from '@jobport/conformance'
import { createDriver } from '@jobport/adapter-rabbitmq'
import { corrupt } from './corrupt.ts'

const rabbitmq = process.env['RABBITMQ_URL'] ?? 'amqp://127.0.0.1:5672'
const module = new URL(import.meta.resolve('@jobport/adapter-rabbitmq'))

/** Runs the suite. `query`: options, as in a URL; `breaks`: whether brokers are broken too, which takes its time. */
export function certifyRabbitMQ(name: string, query: string, breaks: boolean): void {
  const url = `${rabbitmq}?heartbeat=2000${query}`
  certify({
    name,
    createDriver: (given = url) => createDriver(given),
    remote: { url, module },
    corrupt: (queue) => corrupt(rabbitmq, queue),
    ...(breaks && { openBroker: () => openBroker('rabbitmq', { own: true }) }),
  })
}
