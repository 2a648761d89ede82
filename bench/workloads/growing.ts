import { median } from 'simple-statistics'
import { fill, inFlight, payload } from '../load.ts'
import { drain } from './working.ts'
import type { Bout } from '../contender.ts'
import type { Measures, Workload } from '../workload.ts'

/** Adds, runs of jobs; of each step so many probes, of which the middle one counts. */
const STEPS = 2_000
const LOOKS = 100
const PROBES = 5
const FLIGHT = 64

/** What a step costs while so many jobs wait. */
function growing(backlog: number, quick?: number): Workload {
  return {
    id: `backlog-${backlog}`,
    title: `cost of a step with ${backlog.toLocaleString('en')} jobs waiting`,
    unit: 'µs',
    needs: [],
    jobs: { ...(quick !== undefined && { quick }), full: backlog },
    rounds: 1,
    pair: true,
    async run(bout, jobs, { brokerMemory }) {
      await fill(bout, jobs)
      const add = await cost(STEPS, (i) => bout.add(payload(i), bout.get ? { id: id(i) } : {}), FLIGHT)
      const looks = await looksAt(bout)
      const memory = brokerMemory()
      return {
        add,
        work: await workCost(bout),
        ...looks,
        clientMiB: process.memoryUsage.rss() / 2 ** 20,
        ...(memory !== undefined && { brokerMiB: memory / 2 ** 20 }),
      }
    },
  }
}

function id(i: number): string {
  return `g${i}`
}

/** µs */
async function cost(steps: number, step: (i: number) => Promise<unknown>, flight: number): Promise<number> {
  const costs: number[] = []
  for (let from = 0; from < steps * PROBES; from += steps) {
    const start = performance.now()
    await inFlight(steps, (i) => step(from + i), flight)
    costs.push(((performance.now() - start) / steps) * 1_000)
  }
  return median(costs)
}

async function workCost(bout: Bout): Promise<number> {
  const costs: number[] = []
  while (costs.length < PROBES) costs.push(1_000_000 / (await drain(bout, STEPS, FLIGHT)))
  return median(costs)
}

async function looksAt({ counts, get, remove }: Bout): Promise<Measures> {
  return {
    ...(counts && { counts: await cost(LOOKS, () => counts(), 1) }),
    ...(get && { get: await cost(LOOKS, (i) => get(id(i)), 1) }),
    ...(remove && { remove: await cost(LOOKS, (i) => remove(id(i)), 1) }),
  }
}

export const growingLoads: readonly Workload[] = [growing(10_000), growing(100_000), growing(1_000_000)]
