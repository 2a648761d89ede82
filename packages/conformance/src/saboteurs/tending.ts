import { randomUUID } from 'node:crypto'
import { tamper, tamperAdmin, type Saboteur } from './saboteur.ts'
import type { Consumer, QueueAdmin } from '@jobport/core/driver'

/** Saboteurs that tend their queues badly, or do not let go. */
export const tending: readonly Saboteur[] = [
  changing('never resumes', 'LIFE-15', () => ({ resume: async () => {} })),
  changing('says that it removed what it did not', 'LIFE-18', () => ({ remove: async () => true })),
  changing('miscounts what waits', 'LIFE-10', (honest) => ({
    counts: async () => {
      const counts = await honest.counts()
      return { ...counts, waiting: counts.waiting + counts.active }
    },
  })),
  changing('shows every dead letter twice', 'DLQ-01', (honest) => ({
    list: async (state, page) => {
      const { jobs, ...rest } = await honest.list(state, page)
      return { ...rest, jobs: state === 'dead' ? jobs.flatMap((job) => [job, job]) : jobs }
    },
  })),
  {
    name: 'doubles a job on redrive',
    caughtBy: 'DLQ-08',
    wrap: (driver) =>
      tamper(driver, {
        admin: (honest, queue) =>
          tamperAdmin(honest, {
            redrive: async (uid, as) => {
              const { jobs } = await honest.list('dead', { limit: 1_000 })
              const letter = jobs.find(({ message }) => message.uid === uid)
              const twin = randomUUID()
              if (letter) await driver.publish(queue, [{ ...letter.message, id: twin, uid: twin }], { signal: new AbortController().signal })
              return honest.redrive(uid, as)
            },
          }),
      }),
  },
  {
    name: 'hangs on stop',
    caughtBy: 'SHU-04',
    wrap: (driver) =>
      tamper(driver, {
        consumer: (honest): Consumer => ({
          stop: () => new Promise(() => {}),
          get lastContact() {
            return honest.lastContact
          },
        }),
      }),
  },
]

function changing(name: string, caughtBy: string, change: (honest: QueueAdmin) => Partial<QueueAdmin>): Saboteur {
  return { name, caughtBy, wrap: (driver) => tamper(driver, { admin: (honest) => tamperAdmin(honest, change(honest)) }) }
}
