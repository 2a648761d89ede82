import { Lease, type Delivery } from '@jobport/core/driver'
import { copyOf, settling, tamper } from '../tamper.ts'
import type { Saboteur } from './saboteur.ts'

/** What the late one needs to learn of a loss, ms. */
const NEWS = 1_000

/** Saboteurs that do not let go of what they hold, or hold what is not theirs. */
export const leasing: readonly Saboteur[] = [
  {
    name: 'keeps what is abandoned',
    caughtBy: 'SET-05',
    touches: [12],
    wrap: (driver) => tamper(driver, { deliver: (receive, delivery) => receive({ ...copyOf(delivery), abandon: () => {} }) }),
  },
  {
    name: 'counts no crash for what is abandoned',
    caughtBy: 'SET-05',
    touches: [12],
    wrap: (driver) =>
      tamper(driver, {
        deliver: (receive, delivery) =>
          receive({ ...copyOf(delivery), abandon: () => void delivery.settle({ type: 'release' }).catch(() => {}) }),
      }),
  },
  {
    name: 'throws away what is abandoned',
    caughtBy: 'SET-05',
    touches: [12],
    wrap: (driver) =>
      tamper(driver, {
        deliver: (receive, delivery) =>
          receive({
            ...copyOf(delivery),
            abandon: () => void delivery.settle({ type: 'complete', result: null }).catch(() => {}),
          }),
      }),
  },
  {
    name: 'takes a late settlement of a job that another worker runs',
    caughtBy: 'SET-06',
    touches: [12],
    wrap: (driver) =>
      tamper(driver, {
        deliver: (receive, delivery) => {
          const { uid } = delivery.message
          let isAbandoned = false
          newest.set(uid, delivery)
          receive({
            ...settling(delivery, async (outcome) => {
              if (isAbandoned) await newest.get(uid)!.settle(outcome)
              else await delivery.settle(outcome)
            }),
            abandon: () => {
              isAbandoned = true
              delivery.abandon()
            },
          })
        },
      }),
  },
  {
    name: 'tells nobody that a lease is lost',
    caughtBy: 'CON-11',
    touches: [2, 6, 8, 12],
    wrap: unaware,
  },
  {
    name: 'tells nobody that a lease has run out, on a broker',
    caughtBy: 'FLT-27',
    touches: [9],
    needs: 'broker',
    wrap: unaware,
  },
  {
    name: 'learns late of a lost lease and takes what is settled meanwhile for confirmed, on a broker',
    caughtBy: 'FLT-27',
    touches: [9],
    needs: 'broker',
    wrap: (driver) =>
      tamper(driver, {
        deliver: (receive, delivery) => {
          const lease = new Lease()
          delivery.lease.onLost(() => setTimeout(() => lease.lose(), NEWS))
          receive({ ...settling(delivery, (outcome) => delivery.settle(outcome).catch(() => {})), lease })
        },
      }),
  },
]

/** By uid, in this process. */
const newest = new Map<string, Delivery>()

/** Its leases are never lost. */
function unaware(driver: Parameters<Saboteur['wrap']>[0]): ReturnType<Saboteur['wrap']> {
  return tamper(driver, { deliver: (receive, delivery) => receive({ ...copyOf(delivery), lease: new Lease() }) })
}
