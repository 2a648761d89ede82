import { tamper, tamperAdmin } from '../tamper.ts'
import type { Saboteur } from './saboteur.ts'

/** Consumers of each queue, of all drivers of this process. */
const consuming = new Map<string, number>()

/** Where 'connects past the URL' went first. */
let honestUrl: string | undefined

/** Saboteurs that mistake where they are, and who is there. */
export const straying: readonly Saboteur[] = [
  {
    name: 'counts clients for processes',
    caughtBy: 'LIFE-31',
    touches: [1],
    wrap: (driver) =>
      tamper(driver, {
        consumer: (honest, _receive, queue) => {
          consuming.set(queue, (consuming.get(queue) ?? 0) + 1)
          return honest
        },
        admin: (honest, queue) =>
          tamperAdmin(honest, {
            status: async () => {
              const status = await honest.status()
              return { ...status, workers: status.workers === 0 ? 0 : (consuming.get(queue) ?? 0) }
            },
          }),
      }),
  },
  {
    name: 'connects past the URL that it is given',
    caughtBy: 'FLT-03',
    touches: [4, 8, 9],
    needs: 'broker',
    wrap: (driver) => driver,
    urlOf: (url) => (honestUrl ??= url),
  },
]
