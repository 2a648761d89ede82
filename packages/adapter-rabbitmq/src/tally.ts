import { JobportError } from '@jobport/core/driver'
import type { Channel, Replies } from 'amqplib'

/** ms. RabbitMQ gives the leader of a quorum queue 250 to answer. After that it calls the queue empty and without consumers. */
const UNANSWERED = 200
const DEADLINE = 4_000

/** What is ready in a queue, and its consumers. Rejects as a passive declaration does, and with `UNAVAILABLE` if nobody knows. */
export async function tally(channel: Channel, queue: string): Promise<Replies.AssertQueue> {
  for (const end = Date.now() + DEADLINE; Date.now() < end; ) {
    const [found, took] = await timed(channel.checkQueue(queue))
    if (found.messageCount > 0 || found.consumerCount > 0 || took < UNANSWERED) return found
    // a long way to the broker takes time as well
    const [, travelled] = await timed(channel.checkExchange('amq.direct'))
    if (took - travelled < UNANSWERED) return found
  }
  throw new JobportError('UNAVAILABLE', `the leader of ${queue} did not answer within ${DEADLINE} ms`)
}

async function timed<T>(work: Promise<T>): Promise<[T, number]> {
  const start = performance.now()
  return [await work, performance.now() - start]
}
