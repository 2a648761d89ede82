import { settling, tamper, type Saboteur } from './saboteur.ts'
import type { Delivery, Outcome } from '@jobport/core/driver'

/** Saboteurs that change what becomes of a run. */
export const settlements: readonly Saboteur[] = [
  changing('counts a release as an attempt', 'RET-15', (outcome, { attempt }) =>
    outcome.type === 'release' ? { type: 'again', delay: 0, attempt: attempt + 1 } : outcome),
  changing('ignores the backoff', 'RET-04', (outcome) => (outcome.type === 'again' ? { ...outcome, delay: 0 } : outcome)),
  changing('drops the error of a dead job', 'DLQ-01', (outcome) =>
    outcome.type === 'dead' ? { ...outcome, error: { name: 'Error', message: '' } } : outcome),
  changing('forgets why a job died', 'DLQ-04', (outcome) => (outcome.type === 'dead' ? { ...outcome, reason: 'attempts' } : outcome)),
  changing('throws dead jobs away', 'DLQ-03', (outcome) => (outcome.type === 'dead' ? { type: 'complete', result: null } : outcome)),
  {
    name: 'settles before the broker knows',
    caughtBy: 'LIFE-24',
    wrap: (driver) =>
      tamper(driver, {
        deliver: (receive, delivery) =>
          receive(settling(delivery, async (outcome) => {
            setTimeout(() => void delivery.settle(outcome).catch(() => {}), 30)
          })),
      }),
  },
  {
    name: 'lets a late settlement free the id of a newer job',
    caughtBy: 'ID-K2',
    wrap: (driver) =>
      tamper(driver, {
        deliver: (receive, delivery, queue) =>
          receive(settling(delivery, async (outcome) => {
            await delivery.settle(outcome).catch(async (error: unknown) => {
              await driver.admin(queue).remove(delivery.message.id, 'live')
              throw error
            })
          })),
      }),
  },
]

function changing(name: string, caughtBy: string, change: (outcome: Outcome, delivery: Delivery) => Outcome): Saboteur {
  return {
    name,
    caughtBy,
    wrap: (driver) =>
      tamper(driver, {
        deliver: (receive, delivery) => receive(settling(delivery, (outcome) => delivery.settle(change(outcome, delivery)))),
      }),
  }
}
