import { settling, tamper } from '../tamper.ts'
import type { Saboteur } from './saboteur.ts'
import type { Delivery, Outcome } from '@jobport/core/driver'

/** Saboteurs that change what becomes of a run. */
export const settlements: readonly Saboteur[] = [
  changing('counts a release as an attempt', 'RET-15', [2, 8], (outcome, { attempt }) =>
    outcome.type === 'release' ? { type: 'again', delay: 0, attempt: attempt + 1 } : outcome,
  ),
  changing('ignores the backoff', 'RET-04', [2, 5], (outcome) => (outcome.type === 'again' ? { ...outcome, delay: 0 } : outcome)),
  changing('drops the error of a dead job', 'DLQ-01', [5], (outcome) =>
    outcome.type === 'dead' ? { ...outcome, error: { name: 'Error', message: '' } } : outcome,
  ),
  changing('keeps no stack of an error', 'RET-06', [2, 5], (outcome) => {
    if (outcome.type !== 'dead') return outcome
    const { stack: _, ...error } = outcome.error
    return { ...outcome, error }
  }),
  changing('forgets why a job died', 'DLQ-04', [5], (outcome) =>
    outcome.type === 'dead' ? { ...outcome, reason: 'attempts' } : outcome,
  ),
  changing('throws dead jobs away', 'DLQ-03', [5], (outcome) =>
    outcome.type === 'dead' ? { type: 'complete', result: null } : outcome,
  ),
  changing('completes a job that is to run again', 'RET-01', [1, 2, 5, 7], (outcome) =>
    outcome.type === 'again' ? { type: 'complete', result: null } : outcome,
  ),
  changing('counts a retry twice', 'RET-02', [2, 5], (outcome) =>
    outcome.type === 'again' ? { ...outcome, attempt: outcome.attempt + 1 } : outcome,
  ),
  changing('counts a postponed run as an attempt', 'RET-11', [2, 3], (outcome, { attempt }) =>
    outcome.type === 'again' && outcome.attempt === attempt ? { ...outcome, attempt: attempt + 1 } : outcome,
  ),
  {
    name: 'settles before the broker knows',
    caughtBy: 'LIFE-24',
    touches: [1, 3, 5],
    wrap: (driver) =>
      tamper(driver, {
        deliver: (receive, delivery) =>
          receive(
            settling(delivery, async (outcome) => {
              setTimeout(() => void delivery.settle(outcome).catch(() => {}), 30)
            }),
          ),
      }),
  },
  {
    name: 'lets a late settlement free the id of a newer job',
    caughtBy: 'ID-K2',
    touches: [4],
    wrap: (driver) =>
      tamper(driver, {
        deliver: (receive, delivery, queue) =>
          receive(
            settling(delivery, async (outcome) => {
              await delivery.settle(outcome).catch(async (error: unknown) => {
                await driver.admin(queue).remove(delivery.message.id, 'live')
                throw error
              })
            }),
          ),
      }),
  },
  {
    name: 'never says that a job was lost',
    caughtBy: 'CON-08',
    touches: [6],
    wrap: (driver) =>
      tamper(driver, {
        deliver: (receive, delivery) => receive(settling(delivery, (outcome) => delivery.settle(outcome).catch(() => {}))),
      }),
  },
  {
    name: 'counts a release as a crash',
    caughtBy: 'CRA-K1',
    touches: [2],
    wrap: (driver) => {
      const released = new Map<string, number>()
      return tamper(driver, {
        deliver: (receive, delivery) => {
          const { uid } = delivery.message
          const count = released.get(uid) ?? 0
          receive({
            ...settling(delivery, (outcome) => {
              if (outcome.type === 'release') released.set(uid, count + 1)
              return delivery.settle(outcome)
            }),
            crashes: delivery.crashes + count,
          })
        },
      })
    },
  },
  {
    name: 'loses a job that is released',
    caughtBy: 'RET-15',
    touches: [2, 8],
    wrap: (driver) =>
      tamper(driver, {
        deliver: (receive, delivery) =>
          receive(
            settling(delivery, (outcome) =>
              delivery.settle(outcome.type === 'release' ? { type: 'complete', result: null } : outcome),
            ),
          ),
      }),
  },
]

function changing(
  name: string,
  caughtBy: string,
  touches: readonly number[],
  change: (outcome: Outcome, delivery: Delivery) => Outcome,
): Saboteur {
  return {
    name,
    caughtBy,
    touches,
    wrap: (driver) =>
      tamper(driver, {
        deliver: (receive, delivery) => receive(settling(delivery, (outcome) => delivery.settle(change(outcome, delivery)))),
      }),
  }
}
