import { Queue, Worker, type BackendFactory, type IQueueBackend, type QueueOptions } from 'bullmq'
import { payload } from '../load.ts'
import type { Contender, Payload } from '../contender.ts'

/** As Jobport's adapter has it by default. */
const KEPT = { count: 1_000 }

/** Raw BullMQ. `connect` answers a queue's and a worker's connection, `end` closes what it opened. */
export function bullmq(
  connect: () => { connection: unknown; factory?: BackendFactory; end?: () => Promise<unknown> },
): Contender {
  return {
    title: 'raw BullMQ',
    abilities: new Set(['id', 'delay', 'attempts', 'many', 'dead', 'shared', 'kept']),
    async open(name) {
      const { connection, factory, end } = connect()
      const options = { connection } as QueueOptions
      const queue = new Queue<Payload, unknown, 'a', Payload, unknown, 'a', IQueueBackend>(name, options, factory as never)
      await queue.waitUntilReady()
      const workers = new Set<Worker<Payload, unknown, 'a', IQueueBackend>>()
      return {
        async prepare() {
          await queue.add('a', payload(-1))
          await queue.drain()
        },
        add: (data, { id, delay, attempts } = {}) =>
          queue.add('a', data, {
            ...(id !== undefined && { deduplication: { id } }),
            ...(delay !== undefined && { delay }),
            ...(attempts !== undefined && { attempts }),
          }),
        addMany: (payloads) => queue.addBulk(payloads.map((data) => ({ name: 'a', data }))),
        async work(concurrency, handle, done) {
          const settings = { ...options, concurrency, removeOnComplete: KEPT }
          const worker = new Worker<Payload, unknown, 'a', IQueueBackend>(
            name,
            async ({ data }) => handle(data),
            settings,
            factory as never,
          )
          workers.add(worker)
          worker.on('completed', done)
          worker.on('error', (error) => console.error(error.message))
          await worker.waitUntilReady()
          return async () => {
            workers.delete(worker)
            await worker.close()
          }
        },
        async redriveAll() {
          const dead = await queue.getFailedCount()
          await queue.retryJobs({ state: 'failed', count: 1_000 })
          return dead
        },
        dead: () => queue.getFailedCount(),
        counts: () => queue.getJobCounts('wait', 'delayed', 'active', 'failed'),
        get: (id) => queue.getDeduplicationJobId(id),
        async drop() {
          await Promise.all([...workers].map((worker) => worker.close()))
          await queue.obliterate({ force: true })
          await queue.close()
          await end?.()
        },
      }
    },
  }
}
