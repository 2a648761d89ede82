import { openBroker } from '@jobport/brokers'
import { certify, patiently } from '@jobport/conformance'
import { createDriver } from '@jobport/adapter-rabbitmq'
import { corrupt } from './corrupt.ts'

/** ms, whole seconds: short, for cases wait until two are missed; longer where a process that gets no time cannot send them. */
const HEARTBEAT = 1_000 * Math.ceil(patiently(2))

const rabbitmq = process.env['RABBITMQ_URL'] ?? 'amqp://127.0.0.1:5672'
const module = new URL(import.meta.resolve('@jobport/adapter-rabbitmq'))

/** Runs the suite. `query`: options, as in a URL; `breaks`: whether brokers are broken too, which takes its time. */
export function certifyRabbitMQ(name: string, query: string, breaks: boolean): void {
  const url = `${rabbitmq}?heartbeat=${HEARTBEAT}${query}`
  certify({
    name,
    createDriver: (given = url) => createDriver(given),
    remote: { url, module },
    corrupt: (queue) => corrupt(rabbitmq, queue),
    ...(breaks && { openBroker: () => openBroker('rabbitmq', { own: true }) }),
  })
}
