import { inFlight, IN_FLIGHT, payload, rate } from '../load.ts'
import type { Workload } from '../workload.ts'

const MANY = 500

export const adding: readonly Workload[] = [
  {
    id: 'add-1',
    title: 'add, one after the other',
    unit: 'jobs/s',
    needs: [],
    jobs: { quick: 500, full: 2_000 },
    run: async (bout, jobs) => ({ rate: await rate(jobs, () => inFlight(jobs, (i) => bout.add(payload(i)), 1)) }),
  },
  {
    id: 'add-256',
    title: `add, ${IN_FLIGHT} in flight`,
    unit: 'jobs/s',
    needs: [],
    jobs: { quick: 3_000, full: 10_000 },
    run: async (bout, jobs) => ({ rate: await rate(jobs, () => inFlight(jobs, (i) => bout.add(payload(i)))) }),
  },
  {
    id: 'add-many',
    title: `addMany of ${MANY}`,
    unit: 'jobs/s',
    needs: ['many'],
    jobs: { quick: 3_000, full: 10_000 },
    run: async (bout, jobs) => ({
      rate: await rate(jobs, async () => {
        for (let from = 0; from < jobs; from += MANY)
          await bout.addMany!(Array.from({ length: Math.min(MANY, jobs - from) }, (_, i) => payload(from + i)))
      }),
    }),
  },
  {
    id: 'add-keyed',
    title: `add with an id of its own, ${IN_FLIGHT} in flight`,
    unit: 'jobs/s',
    needs: ['id'],
    jobs: { full: 10_000 },
    run: async (bout, jobs) => ({
      rate: await rate(jobs, () => inFlight(jobs, (i) => bout.add(payload(i), { id: `k${i}` }))),
    }),
  },
  {
    id: 'add-duplicate',
    title: `add of an id that is taken, ${IN_FLIGHT} in flight`,
    unit: 'jobs/s',
    needs: ['id'],
    jobs: { full: 10_000 },
    run: async (bout, jobs) => {
      await bout.add(payload(0), { id: 'taken' })
      return { rate: await rate(jobs, () => inFlight(jobs, (i) => bout.add(payload(i), { id: 'taken' }))) }
    },
  },
]
