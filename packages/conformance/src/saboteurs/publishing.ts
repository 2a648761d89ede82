import { randomUUID } from 'node:crypto'
import { tamper, type Saboteur } from './saboteur.ts'
import type { Message } from '@jobport/core/driver'

/** Saboteurs that change what is stored. */
export const publishing: readonly Saboteur[] = [
  {
    name: 'loses one job in fifty',
    caughtBy: 'LIFE-01',
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
  changing('delivers 20 ms early', 'DEL-01', ({ delay, ...message }) => ({ ...message, ...(delay && { delay: Math.max(1, delay - 20) }) })),
  changing('ignores the priority', 'ORD-04', ({ priority: _, ...message }) => message),
  changing('trims header values', 'LIFE-06', (message) => ({
    ...message,
    headers: Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, value.trim()])),
  })),
  changing('forgets the id', 'DUP-01', (message) => ({ ...message, id: message.uid })),
  changing('ignores dedup.ttl', 'ID-K4', ({ dedup: _, ...message }) => message),
  {
    name: 'answers duplicate for an id it has ever seen',
    caughtBy: 'DUP-03',
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
    wrap: (driver) => ({
      ...tamper(driver, { publish: (honest, queue, ...rest) => honest(queue.toLowerCase(), ...rest) }),
      consume: (queue, ...rest) => driver.consume(queue.toLowerCase(), ...rest),
      admin: (queue) => driver.admin(queue.toLowerCase()),
    }),
  },
  {
    name: 'stores every job twice under another uid when the id was made by core',
    caughtBy: 'LIFE-01',
    wrap: (driver) =>
      tamper(driver, {
        publish: async (honest, queue, messages, options) => {
          const twins = messages.filter(({ id, uid }) => id === uid).map((message) => ({ ...message, uid: randomUUID(), id: randomUUID() }))
          await honest(queue, twins, options)
          return honest(queue, messages, options)
        },
      }),
  },
]

function changing(name: string, caughtBy: string, change: (message: Message) => Message): Saboteur {
  return {
    name,
    caughtBy,
    wrap: (driver) => tamper(driver, { publish: (honest, queue, messages, options) => honest(queue, messages.map(change), options) }),
  }
}
