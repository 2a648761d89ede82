import rascalModule from 'rascal'
import type { Contender, Payload } from '../contender.ts'

/** Messages that may wait for a confirm: each takes a channel for itself. Its own default is 5. */
const CHANNELS = 64

export function rascal(url: string): Contender {
  return {
    title: 'rascal',
    isPeer: true,
    abilities: new Set(['attempts', 'shared', 'kept']),
    async open(name) {
      const subscription = (prefetch: number): object => ({ queue: name, prefetch, contentType: 'application/json' })
      const broker = await rascalModule.BrokerAsPromised.create({
        vhosts: {
          '/': {
            connection: { url },
            publicationChannelPools: { confirmPool: { max: CHANNELS } },
            queues: { [name]: { options: { arguments: { 'x-queue-type': 'quorum' } } } },
            publications: { p: { queue: name, confirm: true } },
            subscriptions: { one: subscription(1), ten: subscription(10), hundred: subscription(100) },
          },
        },
      })
      broker.on('error', (error: Error) => console.error(error.message))
      return {
        async add(payload, { attempts = 1 } = {}) {
          const publication = await broker.publish('p', payload, { options: { headers: { attempts } } })
          await new Promise((resolve, reject) => publication.on('success', resolve).on('error', reject))
        },
        async work(concurrency, handle, done) {
          const size = concurrency === 1 ? 'one' : concurrency === 10 ? 'ten' : 'hundred'
          const session = await broker.subscribe(size)
          session.on('message', ({ properties }, content: Payload, settle) => {
            const run = async (): Promise<void> => {
              try {
                await handle(content)
              } catch (error) {
                const retries = (properties.headers!['attempts'] as number) - 1
                return settle(error as Error, [...republished(retries), { strategy: 'nack' }])
              }
              settle()
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

/** To it, no number at all is any number. */
function republished(attempts: number): { strategy: 'republish'; attempts: number }[] {
  return attempts > 0 ? [{ strategy: 'republish', attempts }] : []
}
