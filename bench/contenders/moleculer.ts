import { Middleware } from '@moleculer/channels'
import { ServiceBroker } from 'moleculer'
import { connect, DeliverPolicy, RetentionPolicy } from 'nats'
import type { Contender, Payload } from '../contender.ts'

/** ms */
const SOON = 5

/** Its AMQP adapter publishes without confirms, so there is no bout that it could have with others. */
export function moleculer(url: string): Contender {
  const server = new URL(url).host
  return {
    title: '@moleculer/channels',
    isPeer: true,
    abilities: new Set(['attempts', 'shared', 'kept']),
    async open(name) {
      const connection = await connect({ servers: server })
      const manager = await connection.jetstreamManager()
      const streamConfig = { name, subjects: [name], retention: RetentionPolicy.Workqueue }
      await manager.streams.add(streamConfig)
      const options = { nats: { url, streamConfig, consumerOptions: { config: { deliver_policy: DeliverPolicy.All } } } }
      // one name for all processes: they share what is delivered to it
      const broker = new ServiceBroker({
        nodeID: name,
        logger: false,
        middlewares: [Middleware({ adapter: { type: 'NATS', options } } as never) as never],
      })
      await broker.start()
      const send = (broker as unknown as { sendToChannel(channel: string, payload: Payload): Promise<unknown> }).sendToChannel
      // a channel's, not a job's; it counts the first delivery too
      let maxRetries = 1
      return {
        add(payload, { attempts = 1 } = {}) {
          maxRetries = attempts
          return send(name, payload)
        },
        async work(concurrency, handle, done) {
          const service = broker.createService({
            name: 'worker',
            channels: {
              [name]: {
                maxInFlight: concurrency,
                maxRetries,
                async handler(payload: Payload) {
                  await handle(payload)
                  // it acknowledges right after this
                  done()
                },
              },
            },
          })
          await broker.waitForServices('worker', 0, SOON)
          return async () => broker.destroyService(service)
        },
        async drop() {
          await broker.stop()
          await manager.streams.delete(name)
          await connection.close()
        },
      }
    },
  }
}
