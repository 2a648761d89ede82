import { setTimeout as pause } from 'node:timers/promises'
import { addAll, rate } from '../load.ts'
import type { Bout } from '../contender.ts'
import type { Workload } from '../workload.ts'

const RUNS = 3
const CONCURRENCY = 100
const POLL = 10

export const failing: readonly Workload[] = [
  {
    id: 'retries',
    title: `every job fails ${RUNS - 1} times, without a wait`,
    unit: 'jobs/s',
    needs: ['attempts'],
    jobs: { full: 3_000 },
    async run(bout, jobs) {
      await addAll(bout, jobs, () => ({ attempts: RUNS }))
      const runs = new Uint8Array(jobs)
      return {
        rate: await rate(jobs, () =>
          worked(bout, jobs, ({ i }) => {
            if (++runs[i]! < RUNS) throw new Error('once more')
          }),
        ),
      }
    },
  },
  {
    id: 'dead-letters',
    title: 'every job dies in its only run; then all are brought back',
    unit: 'jobs/s',
    needs: ['attempts', 'dead'],
    jobs: { full: 10_000 },
    rounds: 1,
    async run(bout, jobs) {
      await addAll(bout, jobs, () => ({ attempts: 1 }))
      const stop = await bout.work(
        CONCURRENCY,
        () => {
          throw new Error('dies')
        },
        () => {},
      )
      const died = await rate(jobs, async () => {
        while ((await bout.dead!()) < jobs) await pause(POLL)
      })
      await stop()
      return { died, redriven: await rate(jobs, () => bout.redriveAll!()) }
    },
  },
]

/** Resolves once so many have been acknowledged. */
async function worked(bout: Bout, jobs: number, handle: Parameters<Bout['work']>[1]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let done = 0
  const stop = await bout.work(CONCURRENCY, handle, () => void (++done === jobs && resolve()))
  await promise
  await stop()
}
