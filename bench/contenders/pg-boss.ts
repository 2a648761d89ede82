import { PgBoss } from 'pg-boss'
import type { Contender, Payload } from '../contender.ts'

/** The least that it accepts, s: after a batch that is not full it waits so long, or for a notification. */
const POLL = 0.5
/** Of jobs that `redrive` moves in one call. */
const PAGE = 1_000
const ALL = 100_000

export function pgBoss(url: string): Contender {
  return {
    title: 'pg-boss',
    isPeer: true,
    abilities: new Set(['id', 'delay', 'attempts', 'many', 'dead', 'shared', 'kept']),
    async open(name) {
      const boss = new PgBoss({ connectionString: url, max: 10, useListenNotify: true })
      boss.on('error', (error) => console.error(error.message))
      await boss.start()
      const dead = `${name}-dead`
      await boss.createQueue(dead)
      // a table of its own: in the common one it would meet the dead rows of earlier bouts
      await boss.createQueue(name, { notify: true, deadLetter: dead, partition: true })
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
          const status = async (data: Payload): Promise<'completed' | 'failed'> => {
            try {
              await handle(data)
              return 'completed'
            } catch {
              return 'failed'
            }
          }
          const polling = { pollingIntervalSeconds: POLL, notifyPollingIntervalSeconds: POLL, burstWhenBatchFull: true }
          await boss.work<Payload, unknown, typeof polling & { batchSize: number; perJobResults: true }>(
            name,
            { ...polling, batchSize: concurrency, perJobResults: true },
            async (jobs) => {
              const results = await Promise.all(jobs.map(async ({ id, data }) => ({ id, status: await status(data) })))
              // the batch is acknowledged as one, right after this
              for (const each of results) if (each.status === 'completed') done()
              return results
            },
          )
          return async () => boss.offWork(name)
        },
        async redriveAll() {
          let moved = 0
          for (let more = PAGE; more > 0; moved += more) more = await boss.redrive(dead, { limit: PAGE })
          return moved
        },
        dead: async () => (await boss.previewRedrive(dead, { limit: ALL })).total,
        async drop() {
          await boss.deleteQueue(name)
          await boss.deleteQueue(dead)
          await boss.stop({ graceful: false })
        },
      }
    },
  }
}
