import { median } from 'simple-statistics'
import { fill, inFlight, payload } from '../load.ts'
import { drain } from './working.ts'
import type { Bout } from '../contender.ts'
import type { Measures, Workload } from '../workload.ts'

export const BACKLOGS = [10_000, 100_000, 1_000_000] as const

/** Adds, then runs of jobs, so that the backlog stays; so often, of which the middle one counts. Fewer once they have taken so long, ms. */
const STEPS = 1_000
const PROBES = 21
const FEWEST = 7
const PATIENCE = 15_000
/** The same of looks at jobs, of which each probe takes at most so long, ms. */
const LOOKS = 100
const LOOK_PROBES = 5
const LOOK_PATIENCE = 500
/** Where the numbers of the jobs that probes add begin: no backlog has them. */
const PROBED = 10 * BACKLOGS.at(-1)!
const FLIGHT = 64

/** What a step costs while more and more jobs wait, on one queue, so that the machine is the same. */
export const growingLoads: readonly Workload[] = [
  {
    id: 'growth',
    title: `cost of a step with ${BACKLOGS.map((backlog) => backlog.toLocaleString('en')).join(', ')} jobs waiting`,
    unit: 'µs',
    needs: ['kept'],
    jobs: { full: BACKLOGS.at(-1)! },
    rounds: 1,
    pair: true,
    async run(bout, jobs, { brokerMemory, rest }) {
      const measures: Record<string, number> = {}
      let filled = 0
      for (const backlog of BACKLOGS.filter((some) => some <= jobs)) {
        await fill(bout, backlog - filled, { first: filled })
        filled = backlog
        await rest()
        const memory = brokerMemory()
        const found = {
          ...(await stepsAt(bout, backlog)),
          ...(await looksAt(bout, backlog)),
          clientMiB: process.memoryUsage.rss() / 2 ** 20,
          ...(memory !== undefined && { brokerMiB: memory / 2 ** 20 }),
        }
        for (const [step, cost] of Object.entries(found)) measures[growthKey(step, backlog)] = cost
      }
      return measures
    },
  },
]

/** The measure of a step at a backlog. */
export function growthKey(step: string, backlog: number): string {
  return `${step} at ${backlog}`
}

export function readGrowthKey(key: string): { step: string; backlog: number } {
  const [step = '', backlog] = key.split(' at ')
  return { step, backlog: Number(backlog) }
}

/** No job has the number of another: raw JetStream would refuse it. */
async function stepsAt(bout: Bout, backlog: number): Promise<Measures> {
  const [adds, works]: [number[], number[]] = [[], []]
  const start = performance.now()
  while (works.length < FEWEST || (works.length < PROBES && performance.now() - start < PATIENCE)) {
    const first = PROBED + backlog + adds.length * STEPS
    adds.push(await cost(STEPS, (i) => bout.add(payload(first + i))))
    works.push(1_000_000 / (await drain(bout, STEPS, FLIGHT)))
  }
  return { add: median(adds), work: median(works) }
}

/** With ids, where the contender has any; the jobs go again if it can remove them. */
async function looksAt(bout: Bout, backlog: number): Promise<Measures> {
  const { counts, get, remove } = bout
  const id = (i: number): string => `g${backlog}-${i}`
  const many = LOOKS * LOOK_PROBES
  const add = get && (await cost(many, (i) => bout.add(payload(i), { id: id(i) })))
  const each = async (look: (i: number) => Promise<unknown>): Promise<number> => {
    const costs: number[] = []
    while (costs.length < LOOK_PROBES) costs.push(await lookCost((i) => look(costs.length * LOOKS + i)))
    return median(costs)
  }
  return {
    ...(add !== undefined && { 'add with id': add }),
    ...(counts && { counts: await each(() => counts()) }),
    ...(get && { get: await each((i) => get(id(i))) }),
    ...(remove && { remove: await each((i) => remove(id(i))) }),
  }
}

/** µs each. */
async function cost(steps: number, step: (i: number) => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await inFlight(steps, step, FLIGHT)
  return ((performance.now() - start) / steps) * 1_000
}

/** µs each, one after the other. */
async function lookCost(look: (i: number) => Promise<unknown>): Promise<number> {
  const start = performance.now()
  let done = 0
  while (done < LOOKS && performance.now() - start < LOOK_PATIENCE) await look(done++)
  return ((performance.now() - start) / done) * 1_000
}
