import { randomUUID } from 'node:crypto'
import { copyOf, tamper } from '../tamper.ts'
import type { Saboteur } from './saboteur.ts'
import type { Message } from '@jobport/core/driver'

/** Marks an id that is live twice. */
const TWIN = '~twin'

/** Saboteurs that change what is stored. */
export const publishing: readonly Saboteur[] = [
  {
    name: 'loses one job in fifty',
    caughtBy: 'LIFE-01',
    touches: [1, 4, 6],
    wrap: (driver) => {
      let count = 0
      return tamper(driver, {
        publish: async (honest, queue, messages, options) => {
          const kept = messages.filter(() => ++count % 50 !== 0)
          await honest(queue, kept, options)
          return messages.map(() => ({ status: 'added' }))
        },
      })
    },
  },
  changing('delivers 200 ms early', 'DEL-01', [3], ({ delay, ...message }) => ({
    ...message,
    ...(delay && { delay: Math.max(1, delay - 200) }),
  })),
  changing('ignores the priority', 'ORD-04', [7], ({ priority: _, ...message }) => message),
  changing('trims header values', 'LIFE-06', [1, 10], (message) => ({
    ...message,
    headers: Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, value.trim()])),
  })),
  changing('forgets the id', 'DUP-01', [1, 2, 4, 5, 10], (message) => ({ ...message, id: message.uid })),
  changing('ignores the delay', 'DEL-01', [1, 3, 4], ({ delay: _, ...message }) => message),
  changing('ignores the timeout', 'RET-14', [2], ({ timeout: _, ...message }) => message),
  changing('ignores the upper bound of the backoff', 'RET-04', [2], ({ backoff, ...message }) => ({
    ...message,
    ...(backoff && { backoff: { type: backoff.type, delay: backoff.delay } }),
  })),
  changing('cuts long payloads', 'BAD-03', [10], (message) => ({
    ...message,
    data: typeof message.data === 'string' ? message.data.slice(0, 500) : message.data,
  })),
  changing('ignores dedup.ttl', 'ID-K4', [4], ({ dedup: _, ...message }) => message),
  {
    name: 'answers duplicate for an id it has ever seen',
    caughtBy: 'DUP-03',
    touches: [4],
    wrap: (driver) => {
      const seen = new Set<string>()
      return tamper(driver, {
        publish: async (honest, queue, messages, options) => {
          const results = []
          for (const message of messages) {
            const key = `${queue} ${message.id}`
            if (seen.has(key)) results.push({ status: 'duplicate' } as const)
            else results.push(...(await honest(queue, [message], options)))
            seen.add(key)
          }
          return results
        },
      })
    },
  },
  {
    name: 'stores in a queue of the same name in lower case',
    caughtBy: 'LIFE-14',
    touches: [1, 10],
    wrap: (driver) => ({
      ...tamper(driver, { publish: (honest, queue, ...rest) => honest(queue.toLowerCase(), ...rest) }),
      consume: (queue, ...rest) => driver.consume(queue.toLowerCase(), ...rest),
      admin: (queue) => driver.admin(queue.toLowerCase()),
    }),
  },
  {
    name: 'stores every job twice under another uid when the id was made by core',
    caughtBy: 'LIFE-01',
    touches: [1, 2, 3, 4, 5, 6, 7, 8],
    wrap: (driver) =>
      tamper(driver, {
        publish: async (honest, queue, messages, options) => {
          const twins = messages
            .filter(({ id, uid }) => id === uid)
            .map((message) => ({ ...message, uid: randomUUID(), id: randomUUID() }))
          await honest(queue, twins, options)
          return honest(queue, messages, options)
        },
      }),
  },
  {
    name: 'confirms a job before it is stored',
    caughtBy: 'LIFE-18',
    touches: [1, 4],
    wrap: (driver) =>
      tamper(driver, {
        publish: async (honest, queue, messages, options) => {
          setTimeout(() => void honest(queue, messages, options), 20)
          return messages.map(() => ({ status: 'added' }))
        },
      }),
  },
  {
    name: 'frees the id when its job starts',
    caughtBy: 'DUP-12',
    touches: [4],
    wrap: (driver) =>
      tamper(driver, {
        publish: async (honest, queue, messages, options) => {
          const results = []
          for (const message of messages) {
            const holder = await driver.admin(queue).get(message.id, 'live')
            const twin = holder?.state === 'active' ? { ...message, id: `${message.id}${TWIN}` } : message
            results.push(...(await honest(queue, [twin], options)))
          }
          return results
        },
        deliver: (receive, delivery) => {
          const { message } = delivery
          receive({ ...copyOf(delivery), message: { ...message, id: message.id.replace(TWIN, '') } })
        },
      }),
  },
]

function changing(name: string, caughtBy: string, touches: readonly number[], change: (message: Message) => Message): Saboteur {
  return {
    name,
    caughtBy,
    touches,
    wrap: (driver) =>
      tamper(driver, { publish: (honest, queue, messages, options) => honest(queue, messages.map(change), options) }),
  }
}
