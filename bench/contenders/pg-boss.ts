import { PgBoss } from 'pg-boss'
import type { Contender, Payload } from '../contender.ts'

/** s; it looks no more often, and takes one batch each time. */
const POLL = 0.5

export function pgBoss(url: string): Contender {
  return {
    title: 'pg-boss',
    isPeer: true,
    abilities: new Set(['id', 'delay', 'attempts', 'many', 'kept']),
    async open(name) {
      const boss = new PgBoss({ connectionString: url, max: 10 })
      boss.on('error', (error) => console.error(error.message))
      await boss.start()
      await boss.createQueue(name)
      return {
        add: (payload, { id, delay = 0, attempts = 1 } = {}) =>
          boss.send(name, payload, {
            ...(id !== undefined && { singletonKey: id, singletonSeconds: 3_600 }),
            ...(delay > 0 && { startAfter: new Date(Date.now() + delay) }),
            retryLimit: attempts - 1,
            retryDelay: 0,
          }),
        addMany: (payloads) =>
          boss.insert(
            name,
            payloads.map((data) => ({ data })),
          ),
        async work(concurrency, handle, done) {
          await boss.work<Payload>(
            name,
            { batchSize: concurrency, pollingIntervalSeconds: POLL, perJobResults: false },
            async (jobs) => {
              await Promise.all(jobs.map(({ data }) => handle(data)))
              // the batch is acknowledged as one, right after this
              for (const _ of jobs) done()
            },
          )
          return async () => boss.offWork(name)
        },
        async drop() {
          await boss.deleteQueue(name)
          await boss.stop({ graceful: false })
        },
      }
    },
  }
}
