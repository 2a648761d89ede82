import { tamper } from '../tamper.ts'
import { answering, redriving, type Saboteur } from './saboteur.ts'
import type { Message } from '@jobport/core/driver'

const SECOND = 1_000
/** Beyond what memory declares, ms. */
const LATE = 150

/** Saboteurs that keep time badly, and tell nobody. */
export const timing: readonly Saboteur[] = [
  waiting('is later than it declares', 'DEL-15', (delay) => delay + LATE),
  waiting('runs what is due within one second in order of adding', 'DEL-16', (delay) => {
    const due = Math.ceil((Date.now() + delay) / SECOND) * SECOND
    return due - Date.now()
  }),
  answering('counts what is overdue as delayed', 'DEL-17', [3], (honest) => ({
    counts: async () => {
      const counts = await honest.counts()
      const { jobs } = await honest.list('waiting', { limit: 1_000 })
      const overdue = jobs.filter(({ message }) => message.delay !== undefined).length
      return { ...counts, waiting: counts.waiting - overdue, delayed: counts.delayed + overdue }
    },
  })),
  answering('lists what is overdue as delayed', 'DEL-17', [1, 3], (honest) => ({
    list: async (state, page) => {
      const waits = await honest.list('waiting', page)
      const overdue = waits.jobs.filter(({ message }) => message.delay !== undefined)
      if (state === 'waiting') return { ...waits, jobs: waits.jobs.filter((job) => !overdue.includes(job)) }
      const { jobs, ...rest } = await honest.list(state, page)
      return { ...rest, jobs: state === 'delayed' ? [...jobs, ...overdue] : jobs }
    },
  })),
  answering('purges only what has a given id', 'CAN-K2', [1, 4], (honest) => ({
    purge: async (scope) => {
      if (scope === 'dead') return honest.purge(scope)
      const pages = await Promise.all((['waiting', 'delayed'] as const).map((state) => honest.list(state, { limit: 1_000 })))
      const given = pages.flatMap(({ jobs }) => jobs).filter(({ message: { id, uid } }) => id !== uid)
      const removed = await Promise.all(given.map(({ message }) => honest.remove(message.id, 'live')))
      return removed.filter(Boolean).length
    },
  })),
  keeping('redrives with the delay', ({ delay }) => ({ ...(delay !== undefined && { delay }) })),
  keeping('redrives with the dedup window', ({ dedup }) => ({ ...(dedup && { dedup }) })),
]

function waiting(name: string, caughtBy: string, change: (delay: number) => number): Saboteur {
  return {
    name,
    caughtBy,
    touches: [1, 2, 3, 4, 5],
    wrap: (driver) =>
      tamper(driver, {
        publish: (honest, queue, messages, options) =>
          honest(
            queue,
            messages.map((message) => (message.delay ? { ...message, delay: change(message.delay) } : message)),
            options,
          ),
      }),
  }
}

/** The new life keeps something of the old one. */
function keeping(name: string, kept: (message: Message) => Partial<Message>): Saboteur {
  return redriving({ name, caughtBy: 'DLQ-14', touches: [2, 4, 5] }, async ({ letter, honest, publish }, uid, as) => {
    if (!letter) return 'missing'
    const { delay: _, dedup: __, ...message } = letter
    const result = await publish({ ...message, ...as, ...kept(letter) })
    if (result?.status !== 'added') return 'duplicate'
    await honest.remove(uid, 'dead')
    return 'redriven'
  })
}
