import { fill, inFlight, IN_FLIGHT, payload } from '../load.ts'
import { spread } from '../spread.ts'
import type { Bout } from '../contender.ts'
import type { Workload } from '../workload.ts'

/** Part of the jobs that run before the clock starts: connecting is not the work. */
const WARMUP = 0.1
const LARGE = 10_000
/** Of a bout, ms. */
const LONGEST = 5_000
/** Of what the contender can do. */
const LOAD = 0.1
/** Jobs per second; a timer cannot tell them apart above it. */
const FASTEST = 500
const TICK = 10

function working(id: string, concurrency: number, jobs: Workload['jobs'], size?: number): Workload {
  return {
    id,
    title: `work at concurrency ${concurrency}${size === undefined ? '' : `, ${size / 1_000} kB each`}`,
    unit: 'jobs/s',
    needs: [],
    jobs,
    async run(bout, count) {
      await fill(bout, count, size === undefined ? {} : { size })
      return { rate: await drain(bout, count, concurrency) }
    },
  }
}

export const workingLoads: readonly Workload[] = [
  working('work-1', 1, { quick: 500, full: 2_000 }),
  working('work-10', 10, { full: 5_000 }),
  working('work-100', 100, { quick: 3_000, full: 10_000 }),
  working('work-100-large', 100, { full: 5_000 }, LARGE),
  {
    id: 'cycle',
    title: `add, ${IN_FLIGHT} in flight, while a worker works at concurrency 100`,
    unit: 'jobs/s',
    needs: [],
    jobs: { quick: 3_000, full: 10_000 },
    async run(bout, jobs) {
      const { promise, resolve } = Promise.withResolvers<void>()
      let done = 0
      const limit = setTimeout(resolve, LONGEST)
      const stop = await bout.work(
        100,
        () => {},
        () => void (++done === jobs && resolve()),
      )
      const start = performance.now()
      await inFlight(jobs, (i) => bout.add(payload(i)))
      await promise
      const ms = performance.now() - start
      clearTimeout(limit)
      await stop()
      return { rate: (done / ms) * 1_000 }
    },
  },
  {
    id: 'latency',
    title: `from add to handler, at a tenth of what it can work, at most ${FASTEST} a second`,
    unit: 'ms',
    needs: [],
    jobs: { full: 1_000 },
    async run(bout, most, { capacity }) {
      const pace = Math.min(FASTEST, capacity * LOAD)
      const jobs = Math.ceil(Math.min(most, (pace * LONGEST) / 1_000))
      const took: number[] = []
      const { promise, resolve } = Promise.withResolvers<void>()
      const stop = await bout.work(
        10,
        ({ at }) => void took.push(Date.now() - at),
        () => void (took.length >= jobs && resolve()),
      )
      const start = performance.now()
      const adds: Promise<unknown>[] = []
      while (adds.length < jobs) {
        const due = Math.min(jobs, Math.floor(((performance.now() - start) / 1_000) * pace))
        while (adds.length < due) adds.push(bout.add(payload(adds.length, { at: Date.now() })))
        await new Promise((turn) => setTimeout(turn, TICK))
      }
      await Promise.all(adds)
      // one that cannot keep the pace is measured by what it has done
      const limit = setTimeout(resolve, LONGEST)
      await promise
      clearTimeout(limit)
      await stop()
      // of one of whose jobs none came it is known only that they take longer
      return spread(took.length > 0 ? took : [LONGEST])
    },
  },
]

/** Jobs per second, once it runs. One that is too slow to end is measured by all that it has done. */
export async function drain(bout: Bout, jobs: number, concurrency: number): Promise<number> {
  const warm = Math.ceil(jobs * WARMUP)
  const { promise, resolve } = Promise.withResolvers<void>()
  let done = 0
  const start = performance.now()
  let warmAt = start
  const limit = setTimeout(resolve, LONGEST)
  const stop = await bout.work(
    concurrency,
    () => {},
    () => {
      done++
      if (done === warm) warmAt = performance.now()
      if (done === jobs) resolve()
    },
  )
  await promise
  const end = performance.now()
  const rate = done < jobs ? done / (end - start) : (jobs - warm) / (end - warmAt)
  clearTimeout(limit)
  await stop()
  return rate * 1_000
}
