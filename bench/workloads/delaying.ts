import { inFlight, payload } from '../load.ts'
import { spread } from '../spread.ts'
import type { Bout } from '../contender.ts'
import type { Measures, Workload } from '../workload.ts'

const CONCURRENCY = 100
/** Of random delays, ms. */
const LONGEST = 10_000
/** Until all are due at once: longer than adding them takes, ms. */
const TOGETHER = 10_000

function delaying(id: string, title: string, jobs: Workload['jobs'], due: (start: number) => number): Workload {
  return { id, title, unit: 'ms', needs: ['delay'], jobs, rounds: 1, run: (bout, count) => lateness(bout, count, due) }
}

export const delayingLoads: readonly Workload[] = [
  delaying('delay-random', 'lateness of random delays of 0–10 s', { full: 10_000 }, () => Date.now() + Math.random() * LONGEST),
  delaying('delay-together', 'lateness of jobs that are all due at once', { full: 10_000 }, (start) => start + TOGETHER),
]

async function lateness(bout: Bout, jobs: number, due: (start: number) => number): Promise<Measures> {
  const late: number[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  const stop = await bout.work(
    CONCURRENCY,
    ({ at }) => void late.push(Date.now() - at),
    () => void (late.length >= jobs && resolve()),
  )
  const start = Date.now()
  await inFlight(jobs, (i) => {
    const now = Date.now()
    const delay = Math.max(0, Math.ceil(due(start) - now))
    return bout.add(payload(i, { at: now + delay }), { delay })
  })
  await promise
  await stop()
  return { ...spread(late), early: late.filter((ms) => ms < 0).length }
}
