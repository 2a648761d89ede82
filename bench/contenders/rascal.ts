import rascalModule from 'rascal'
import type { Contender, Payload } from '../contender.ts'

export function rascal(url: string): Contender {
  return {
    title: 'rascal',
    isPeer: true,
    abilities: new Set(),
    async open(name) {
      const subscription = (prefetch: number): object => ({ queue: name, prefetch, contentType: 'application/json' })
      const broker = await rascalModule.BrokerAsPromised.create({
        vhosts: {
          '/': {
            connection: { url },
            queues: { [name]: { options: { arguments: { 'x-queue-type': 'quorum' } } } },
            publications: { p: { queue: name, confirm: true } },
            subscriptions: { one: subscription(1), ten: subscription(10), hundred: subscription(100) },
          },
        },
      })
      broker.on('error', (error: Error) => console.error(error.message))
      return {
        async add(payload) {
          const publication = await broker.publish('p', payload)
          await new Promise((resolve, reject) => publication.on('success', resolve).on('error', reject))
        },
        async work(concurrency, handle, done) {
          const size = concurrency === 1 ? 'one' : concurrency === 10 ? 'ten' : 'hundred'
          const session = await broker.subscribe(size)
          session.on('message', (_message, content: Payload, ack) => {
            const run = async (): Promise<void> => {
              await handle(content)
              ack()
              done()
            }
            void run()
          })
          session.on('error', (error: Error) => console.error(error.message))
          return async () => session.cancel()
        },
        async drop() {
          await broker.purge()
          await broker.shutdown()
        },
      }
    },
  }
}
