import { openBroker } from '@jobport/brokers'
import { certify } from '@jobport/conformance'
import { createDriver } from '@jobport/adapter-nats'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { corrupt } from './corrupt.ts'
import { ACK_WAIT } from './trial.ts'

const servers = (process.env['NATS_URL'] ?? 'nats://127.0.0.1:4222').replace(/^nats:\/\//, '')
const url = `nats://${servers}?ackWait=${ACK_WAIT}`
const module = new URL(import.meta.resolve('@jobport/adapter-nats'))
certify({
  name: 'nats',
  createDriver: (given = url) => createDriver(given),
  remote: { url, module },
  corrupt: (queue) => corrupt(servers, queue),
  leftovers,
  openBroker: () => openBroker('nats', { own: true }),
})

/** Streams that are still there. */
async function leftovers(queues: readonly string[]): Promise<string[]> {
  return withNats(async (connection) => {
    const manager = await jetstreamManager(connection)
    const names: string[] = []
    for await (const name of manager.streams.names()) names.push(name)
    const ours = new Set(queues.map((queue) => `jobport-${queue.replaceAll('.', '=')}`))
    return names.filter((name) => ours.has(name))
  })
}

async function withNats<T>(work: (connection: NatsConnection) => Promise<T>): Promise<T> {
  const connection = await connect({ servers })
  try {
    return await work(connection)
  } finally {
    await connection.close()
  }
}
