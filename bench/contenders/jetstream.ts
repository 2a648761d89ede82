import { AckPolicy, jetstream as jetstreamOf, jetstreamManager, RetentionPolicy, type JsMsg } from '@nats-io/jetstream'
import { connect, headers, type NatsConnection } from '@nats-io/transport-node'
import type { Contender, Payload } from '../contender.ts'

/** What a settlement is: an acknowledgement, or before it a write that only one of two workers can make. */
export type Settlement = 'acknowledged' | 'fenced'

const TIMEOUT = 10_000
const WAITING = 'w'
const ENDED = 'c'

export function jetstream(url: string, settlement: Settlement): Contender {
  return {
    title: settlement === 'fenced' ? 'raw JetStream, fenced' : 'raw JetStream, bare ack',
    abilities: new Set(['id', 'many', 'shared', 'kept']),
    async open(stream) {
      const connection = await connect({ servers: new URL(url).host })
      const manager = await jetstreamManager(connection)
      await manager.streams.add({
        name: stream,
        subjects: [`${stream}.>`],
        retention: RetentionPolicy.Workqueue,
        allow_msg_ttl: true,
      })
      await manager.consumers.add(stream, {
        durable_name: 'w',
        ack_policy: AckPolicy.Explicit,
        filter_subject: `${stream}.${WAITING}.*`,
        max_ack_pending: -1,
      })
      const add = (payload: Payload, id = `j${payload.i}`): Promise<unknown> =>
        write(connection, stream, { state: WAITING, id, expected: 0, data: JSON.stringify(payload) })
      const settle = async (message: JsMsg): Promise<void> => {
        const id = message.subject.split('.').at(-1)!
        if (settlement === 'fenced') await write(connection, stream, { state: ENDED, id, expected: message.seq, data: 'null' })
        await message.ackAck()
      }
      return {
        add: (payload, choice) => add(payload, choice?.id),
        addMany: (payloads) => Promise.all(payloads.map((payload) => add(payload))),
        async work(concurrency, handle, done) {
          const consumer = await jetstreamOf(connection).consumers.get(stream, 'w')
          const messages = await consumer.consume({ max_messages: concurrency })
          const running = new Set<Promise<void>>()
          const run = async (message: JsMsg): Promise<void> => {
            await handle(message.json<Payload>())
            await settle(message)
            done()
          }
          const loop = (async (): Promise<void> => {
            for await (const message of messages) {
              const its = run(message).finally(() => running.delete(its))
              running.add(its)
              if (concurrency === 1) await its
            }
          })()
          return async () => {
            await messages.close()
            await loop
            await Promise.all(running)
          }
        },
        async drop() {
          await manager.streams.delete(stream)
          await connection.close()
        },
      }
    },
  }
}

interface Write {
  readonly state: string
  readonly id: string
  /** Sequence of the id's newest message; 0: there must be none. */
  readonly expected: number
  readonly data: string
}

async function write(connection: NatsConnection, stream: string, { state, id, expected, data }: Write): Promise<void> {
  const conditions = headers()
  conditions.set('Nats-Expected-Last-Subject-Sequence', String(expected))
  conditions.set('Nats-Expected-Last-Subject-Sequence-Subject', `${stream}.*.${id}`)
  if (state === ENDED) conditions.set('Nats-TTL', '60s')
  const reply = await connection.request(`${stream}.${state}.${id}`, data, { timeout: TIMEOUT, headers: conditions })
  const { error } = reply.json<{ error?: { description: string } }>()
  if (error && expected !== 0) throw new Error(error.description)
}
