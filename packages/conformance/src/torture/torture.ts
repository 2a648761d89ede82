import { performance } from 'node:perf_hooks'
import { JobportError, type Broker } from '@jobport/core'
import { movedTo } from '../workbench.ts'
import type { Breakable } from '../breakable.ts'
import { Context } from '../context.ts'
import { seeded } from '../seed.ts'
import { pause } from '../wait.ts'
import { Hand } from './hand.ts'
import { judge, type Verdict } from './judge.ts'
import type { Fallen } from '../duplicates.ts'
import { Pulse } from '../pulse.ts'
import { planBlows, planJob, type PlannedBlow } from './plan.ts'
import type { Added } from '../history.ts'
import type { Features } from '@jobport/core/driver'
import type { Harness } from '../harness.ts'

export interface TortureOptions {
  readonly seed: number
  readonly minutes: number
  /** Told of each blow as it falls. */
  readonly onBlow: (blow: PlannedBlow) => void
}

const PRODUCERS = 3
const WORKERS = 4
/** Between two adds of a producer, and between two tries of one, ms. */
const PACE = 10
const RETRY = 50
const ADD_DEADLINE = 2_000
/** Longer than any run of this: a repeated add is refused even if its job has come and gone meanwhile, ms. */
const WINDOW = 3_600_000
/** After the last blow everything must have ended within this, ms. */
const STUCK = 240_000

/** A seeded mix of jobs and blows; then the history is judged. */
export async function torture(harness: Harness, breakable: Breakable, options: TortureOptions): Promise<Verdict> {
  const { seed, minutes, onBlow } = options
  const ctx = new Context(movedTo(breakable, harness), seeded(seed), ledgerOf(), 'torture', breakable)
  const stopping = new AbortController()
  const pulse = new Pulse(ctx.another('pulse'))
  const end = async (): Promise<void> => {
    stopping.abort()
    await pulse.stop()
    await ctx.close()
  }
  try {
    const ways = { producers: await ctx.proxy(), workers: await ctx.proxy() }
    const hand = new Hand({
      broker: breakable,
      producers: ways.producers.proxy,
      workers: ways.workers.proxy,
      start: () => ctx.child({ role: 'worker', url: ways.workers.url, concurrency: 10, crashLimit: 100 }),
    })
    await hand.staff(WORKERS)
    const clients = Array.from({ length: PRODUCERS }, () =>
      ctx.broker({ deadline: ADD_DEADLINE }, ctx.harness.createDriver(ways.producers.url)),
    )
    const producing = clients.map((client, i) => produce(client, ctx, seeded(seed + 1 + i), i, stopping.signal))
    // one that fails is heard of when all are waited for
    for (const its of producing) its.catch(() => {})
    const fallen: Fallen[] = []
    const start = performance.now()
    for (const planned of planBlows(minutes, seeded(seed ^ 0x5eed))) {
      await pause(Math.max(0, planned.at - (performance.now() - start)))
      onBlow(planned)
      fallen.push(await hand.strike(planned))
    }
    await pause(Math.max(0, minutes * 60_000 - (performance.now() - start)))
    stopping.abort()
    const accepted = (await Promise.all(producing)).flat()
    fallen.push(await hand.mend())
    const verdict = await judge(ctx, { accepted, children: hand.children, fallen, late: pulse.late }, STUCK)
    await end()
    return verdict
  } catch (error) {
    // what failed counts, not that there is nothing left to tidy up
    await end().catch(() => {})
    throw error
  }
}

/** Adds one job after the other; one whose answer was lost is added again, if it has an id of its own. */
async function produce(
  client: Broker,
  { queue: { name }, features }: Context,
  random: () => number,
  number: number,
  signal: AbortSignal,
): Promise<Added[]> {
  const queue = client.queue(name)
  const accepted: Added[] = []
  for (let i = 0; !signal.aborted; i++) {
    const { given, attempts, fails, ms, ...planned } = planJob(random)
    const { delay, priority } = allowed(planned, features)
    const id = `${number}-${i}`
    const keyed = given ? { id, ...(features.dedup && { dedup: { ttl: WINDOW } }) } : {}
    const options = { ...keyed, attempts, ...(delay > 0 && { delay }), ...(priority > 0 && { priority }) }
    // of several tries the first may have been stored
    const due = Date.now() + delay
    for (;;) {
      const receipt = await queue.add('mixed', { fails, ms }, options).catch((error: unknown) => {
        if (!(error instanceof JobportError) || error.code === 'CLOSED') throw error
        return undefined
      })
      if (receipt?.uid !== undefined) accepted.push({ type: 'added', uid: receipt.uid, id: receipt.id, attempts, due })
      if (receipt) break
      await pause(RETRY)
      // whether a plain one was stored will show, or not
      if (!given) break
    }
    await pause(PACE)
  }
  return accepted
}

function allowed(
  { delay, priority }: { delay: number; priority: number },
  features: Features,
): { delay: number; priority: number } {
  return { delay: features.delay ? delay : 0, priority: features.priority ? priority : 0 }
}

function ledgerOf(): ConstructorParameters<typeof Context>[2] {
  return { queues: new Set(), timings: { lateness: [], disorder: [], redelivery: [] }, opened: 0, closed: 0 }
}
