import { connect, type ConfirmChannel } from 'amqplib'
import type { Contender, Payload } from '../contender.ts'

/** A quorum queue with confirmed publishes and manual acknowledgement. */
export function amqplib(url: string): Contender {
  return {
    title: 'raw amqplib',
    abilities: new Set(['many', 'shared', 'kept']),
    async open(name) {
      const connection = await connect(url, { noDelay: true })
      const channel = await connection.createConfirmChannel()
      await channel.assertQueue(name, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
      const add = (payload: Payload): Promise<void> => publish(channel, name, payload)
      return {
        add,
        addMany: (payloads) => Promise.all(payloads.map(add)),
        async work(concurrency, handle, done) {
          const consuming = await connection.createChannel()
          await consuming.prefetch(concurrency)
          const { consumerTag } = await consuming.consume(name, (message) => {
            if (!message) return
            const run = async (): Promise<void> => {
              await handle(JSON.parse(message.content.toString()) as Payload)
              consuming.ack(message)
              done()
            }
            void run()
          })
          return async () => {
            await consuming.cancel(consumerTag)
            await consuming.close()
          }
        },
        async drop() {
          await channel.deleteQueue(name)
          await connection.close()
        },
      }
    },
  }
}

function publish(channel: ConfirmChannel, queue: string, payload: Payload): Promise<void> {
  return new Promise((resolve, reject) => {
    const content = Buffer.from(JSON.stringify(payload))
    const options = { persistent: true, mandatory: true, type: 'a', messageId: `j${payload.i}` }
    channel.sendToQueue(queue, content, options, (error: Error | null) => (error ? reject(error) : resolve()))
  })
}
