import { copyOf, settling, tamper } from '../tamper.ts'
import type { Saboteur } from './saboteur.ts'
import { Lease, type Delivery, type Json } from '@jobport/core/driver'

/** Saboteurs that change what a worker receives. */
export const delivering: readonly Saboteur[] = [
  {
    name: 'takes a job for lost while it runs',
    caughtBy: 'LIFE-22',
    touches: [1, 2, 3, 5, 6, 7, 8],
    wrap: (driver) => tamper(driver, { deliver: (receive, delivery) => receive({ ...copyOf(delivery), lease: leaseOf(10) }) }),
  },
  {
    name: 'acknowledges before the handler',
    caughtBy: 'RET-01',
    touches: [2, 5, 6, 7],
    wrap: (driver) =>
      tamper(driver, {
        deliver: (receive, delivery) => {
          void delivery.settle({ type: 'complete', result: null })
          receive(settling(delivery, async () => {}))
        },
      }),
  },
  {
    name: 'forgets the attempts',
    caughtBy: 'LIFE-08',
    touches: [1, 2, 5, 7],
    wrap: (driver) => tamper(driver, { deliver: (receive, delivery) => receive({ ...copyOf(delivery), attempt: 1 }) }),
  },
  {
    name: 'delivers one job in ten twice',
    caughtBy: 'CON-04',
    touches: [1, 2, 5, 6, 7],
    wrap: (driver) => {
      let count = 0
      return tamper(driver, {
        deliver: (receive, delivery) => {
          receive(delivery)
          if (++count % 10 === 0) receive(settling(delivery, async () => {}))
        },
      })
    },
  },
  {
    name: 'hands out references to one object',
    caughtBy: 'LIFE-25',
    touches: [1],
    wrap: (driver) => {
      const shared = new Map<string, Json>()
      return tamper(driver, {
        publish: async (honest, queue, messages, options) => {
          for (const { uid, data } of messages) shared.set(uid, data)
          return honest(queue, messages, options)
        },
        deliver: (receive, delivery) => {
          const data = shared.get(delivery.message.uid) ?? delivery.message.data
          receive({ ...copyOf(delivery), message: { ...delivery.message, data } })
        },
      })
    },
  },
  {
    name: 'delivers more than the prefetch',
    caughtBy: 'CON-01',
    touches: [6, 7],
    wrap: (driver) => tamper(driver, { options: ({ prefetch }) => ({ prefetch: prefetch + 1 }) }),
  },
  {
    name: 'starves an idle worker by fetching ahead',
    caughtBy: 'CON-06',
    touches: [6],
    wrap: (driver) => {
      const lanes = new Map<unknown, { free: number; held: Delivery[] }>()
      return tamper(driver, {
        options: ({ prefetch }) => ({ prefetch: prefetch * 10 }),
        deliver: (receive, delivery) => {
          const lane = lanes.get(receive) ?? { free: 1, held: [] }
          lanes.set(receive, lane)
          const pass = (next: Delivery): void => {
            lane.free--
            receive(
              settling(next, async (outcome) => {
                await next.settle(outcome)
                lane.free++
                const waiting = lane.held.shift()
                if (waiting) pass(waiting)
              }),
            )
          }
          if (lane.free > 0) pass(delivery)
          else lane.held.push(delivery)
        },
      })
    },
  },
]

/** Lost after `ms`, whatever happens. */
function leaseOf(ms: number): Lease {
  const lease = new Lease()
  setTimeout(() => lease.lose(), ms).unref()
  return lease
}
