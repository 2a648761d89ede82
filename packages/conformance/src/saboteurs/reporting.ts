import { tamper } from '../tamper.ts'
import { answering, type Saboteur } from './saboteur.ts'
import type { PublishResult } from '@jobport/core/driver'

/** Saboteurs that answer what is not so. */
export const reporting: readonly Saboteur[] = [
  answering('says that it redrove what it left where it was', 'DLQ-08', [2, 4, 5], () => ({ redrive: async () => 'redriven' })),
  answering('tells half of what it purged', 'DLQ-07', [1, 3, 4, 5], (honest) => ({
    purge: async (scope) => Math.floor((await honest.purge(scope)) / 2),
  })),
  answering('purges dead letters with the living', 'DLQ-09', [5], (honest) => ({
    purge: async (scope) => {
      if (scope === 'live') await honest.purge('dead')
      return honest.purge(scope)
    },
  })),
  answering('ends a list at its first page', 'LIFE-16', [1, 5], (honest) => ({
    list: async (state, page) => ({ jobs: (await honest.list(state, page)).jobs }),
  })),
  answering('lists the oldest dead letters first', 'DLQ-07', [5], (honest) => ({
    list: async (state, page) => {
      const { jobs, ...rest } = await honest.list(state, page)
      return { ...rest, jobs: state === 'dead' ? jobs.toReversed() : jobs }
    },
  })),
  answering('counts workers that it has not', 'LIFE-21', [1], (honest) => ({
    status: async () => ({ ...(await honest.status()), workers: 7 }),
  })),
  answering('drops nothing', 'FLT-19', [1, 9], () => ({ drop: async () => {} })),
  answering('removes a job that runs', 'LIFE-18', [1, 4], (honest) => ({
    remove: async (key, scope) => {
      const removed = await honest.remove(key, scope)
      return removed || (scope === 'live' && (await honest.get(key, 'live')) !== undefined)
    },
  })),
  {
    name: 'answers addMany in the reverse order',
    caughtBy: 'DUP-06',
    touches: [1, 4],
    wrap: (driver) =>
      tamper(driver, {
        publish: async (honest, ...given): Promise<PublishResult[]> => (await honest(...given)).toReversed(),
      }),
  },
  {
    name: 'stores addMany in the reverse order',
    caughtBy: 'ORD-01',
    touches: [1, 3, 4, 7],
    wrap: (driver) =>
      tamper(driver, {
        publish: async (honest, queue, messages, options) => (await honest(queue, messages.toReversed(), options)).toReversed(),
      }),
  },
]
