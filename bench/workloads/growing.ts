import { fill, inFlight, payload } from '../load.ts'
import { drain } from './working.ts'
import type { Workload } from '../workload.ts'

const PROBES = 2_000
const LOOKS = 100
const FLIGHT = 64

/** What a step costs while so many jobs wait. */
function growing(backlog: number, quick?: number): Workload {
  return {
    id: `backlog-${backlog}`,
    title: `cost of a step with ${backlog.toLocaleString('en')} jobs waiting`,
    unit: 'µs',
    needs: ['counts', 'single'],
    jobs: { ...(quick !== undefined && { quick }), full: backlog },
    rounds: 1,
    alone: true,
    async run(bout, jobs, { brokerMemory }) {
      await fill(bout, jobs)
      const cost = async (steps: number, work: () => Promise<unknown>): Promise<number> => {
        const start = performance.now()
        await work()
        return ((performance.now() - start) / steps) * 1_000
      }
      const id = (i: number): string => `g${i}`
      const add = await cost(PROBES, () => inFlight(PROBES, (i) => bout.add(payload(i), { id: id(i) }), FLIGHT))
      const counts = await cost(LOOKS, () => inFlight(LOOKS, () => bout.counts!(), 1))
      const get = await cost(LOOKS, () => inFlight(LOOKS, (i) => bout.get!(id(i)), 1))
      const remove = bout.remove ? await cost(LOOKS, () => inFlight(LOOKS, (i) => bout.remove!(id(i)), 1)) : undefined
      const memory = brokerMemory()
      const work = 1_000_000 / (await drain(bout, PROBES, FLIGHT))
      return {
        add,
        work,
        counts,
        get,
        ...(remove !== undefined && { remove }),
        clientMiB: process.memoryUsage.rss() / 2 ** 20,
        ...(memory !== undefined && { brokerMiB: memory / 2 ** 20 }),
      }
    },
  }
}

export const growingLoads: readonly Workload[] = [growing(10_000), growing(100_000), growing(1_000_000)]
