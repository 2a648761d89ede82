import { randomUUID } from 'node:crypto'
import { settling, tamper, tamperAdmin } from '../tamper.ts'
import { answering, redriving, type Saboteur } from './saboteur.ts'
import type { Consumer } from '@jobport/core/driver'

/** What 'ignores the pause' claims, on every connection. */
const paused = new Set<string>()

/** Saboteurs that tend their queues badly, or do not let go. */
export const tending: readonly Saboteur[] = [
  answering('never resumes', 'LIFE-15', [1], () => ({ resume: async () => {} })),
  answering('says that it removed what it did not', 'LIFE-18', [1], () => ({ remove: async () => true })),
  answering('miscounts what waits', 'LIFE-10', [1], (honest) => ({
    counts: async () => {
      const counts = await honest.counts()
      return { ...counts, waiting: counts.waiting + counts.active }
    },
  })),
  answering('shows every dead letter twice', 'DLQ-01', [5], (honest) => ({
    list: async (state, page) => {
      const { jobs, ...rest } = await honest.list(state, page)
      return { ...rest, jobs: state === 'dead' ? jobs.flatMap((job) => [job, job]) : jobs }
    },
  })),
  redriving(
    { name: 'doubles a job on redrive', caughtBy: 'DLQ-08', touches: [5] },
    async ({ letter, honest, publish }, uid, as) => {
      const twin = randomUUID()
      if (letter) await publish({ ...letter, id: twin, uid: twin })
      return honest.redrive(uid, as)
    },
  ),
  {
    name: 'hangs on stop',
    caughtBy: 'SHU-04',
    touches: [1, 8],
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
  {
    name: 'ignores the pause',
    caughtBy: 'LIFE-15',
    touches: [1],
    wrap: (driver) =>
      tamper(driver, {
        admin: (honest, queue) =>
          tamperAdmin(honest, {
            pause: async () => void paused.add(queue),
            resume: async () => void paused.delete(queue),
            status: async () => ({ ...(await honest.status()), paused: paused.has(queue) }),
          }),
      }),
  },
  {
    name: 'hangs on close while a job is in hand',
    caughtBy: 'RET-16',
    touches: [2, 8],
    wrap: (driver) => {
      let held = 0
      return tamper(driver, {
        deliver: (receive, delivery) => {
          held++
          receive(
            settling(delivery, (outcome) => {
              held--
              return delivery.settle(outcome)
            }),
          )
        },
        close: async (honest) => {
          await honest()
          if (held > 0) await new Promise(() => {})
        },
      })
    },
  },
  {
    name: 'delivers once more after it stopped',
    caughtBy: 'CON-08',
    touches: [6],
    wrap: (driver) =>
      tamper(driver, {
        consumer: (honest, receive, queue): Consumer => ({
          stop: async () => {
            await honest.stop()
            const late = driver.consume(
              queue,
              (delivery) => {
                void late.then((consumer) => consumer.stop())
                receive(delivery)
              },
              { prefetch: 1 },
            )
            await late
          },
          get lastContact() {
            return honest.lastContact
          },
        }),
      }),
  },
]
