import { openBroker } from '@jobport/brokers'
import { certify } from '@jobport/conformance'
import { createDriver } from '@jobport/adapter-rabbitmq'
import { connect } from 'amqplib'

const rabbitmq = process.env['RABBITMQ_URL'] ?? 'amqp://127.0.0.1:5672'
const module = new URL(import.meta.resolve('@jobport/adapter-rabbitmq'))

/** Runs the suite. `query`: options, as in a URL; `breaks`: whether brokers are broken too, which takes its time. */
export function certifyRabbitMQ(name: string, query: string, breaks: boolean): void {
  const url = `${rabbitmq}?heartbeat=2000${query}`
  certify({
    name,
    createDriver: (given = url) => createDriver(given),
    remote: { url, module },
    corrupt,
    ...(breaks && { openBroker: () => openBroker('rabbitmq', { own: true }) }),
  })
}

/** A waiting message whose body is torn JSON, from a client that has never heard of Jobport. */
async function corrupt(queue: string): Promise<void> {
  const connection = await connect(rabbitmq)
  const channel = await connection.createConfirmChannel()
  channel.sendToQueue(`jobport.${queue}`, Buffer.from('{"half":'), {
    type: 'torn',
    messageId: `torn-${Date.now()}`,
    persistent: true,
  })
  await channel.waitForConfirms()
  await connection.close()
}
