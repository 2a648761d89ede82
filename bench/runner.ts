import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { median } from 'simple-statistics'
import { memoryAt, processorTimeAt } from '@jobport/brokers'
import { contendersAt, QUICK, type Kind, type Place } from './arenas.ts'
import { crowdOf } from './crowd.ts'
import { targets } from './targets.ts'
import type { Bout, Contender } from './contender.ts'
import type { Row } from './results.ts'
import type { Measures, Workload } from './workload.ts'

export interface Plan {
  readonly place: Place
  readonly workloads: readonly Workload[]
  readonly quick: boolean
  /** Told before each bout, and how many bouts there are. */
  readonly onBout: (title: string) => void
}

/** Bouts of those whom a target judges: single ones differ by a tenth and more. Of others; of peers. */
const MANY = 9
const FEWER = 3
const LEAST = 2
const QUICK_ROUNDS = 2
/** Part of a bout's jobs that each contender does first, uncounted: code is compiled as it is used, and ours is longer. */
const WARMUP = 0.2
/** Longest that a bout may take, and one of a peer, ms. */
const DEADLINE = 1_200_000
const PEER_DEADLINE = 60_000
/** Removing the queue of a bout that grew to a million jobs takes a while, ms. */
const DROP_DEADLINE = 120_000

/** A broker is at rest that for so long, ms, has worked for less than this part of it. */
const REST = 1_000
const IDLE = 0.1
const LONGEST_REST = 60_000

/** All contenders of one broker under all workloads, taking turns: A B, then B A. */
export async function run(plan: Plan): Promise<Row[]> {
  const contenders = (await contendersAt(plan.place)).slice(0, plan.quick ? QUICK : undefined)
  const capacities = new Map<Contender, number>()
  const rows: Row[] = []
  for (const workload of plan.workloads) {
    const samples = await meet(plan, workload, contenders, capacities)
    for (const contender of contenders.slice(0, workload.pair ? 2 : undefined)) {
      if (contender.workloads?.has(workload.id) === false) continue
      const taken = samples.get(contender)
      if (taken && taken.length > 0 && workload.id === 'work-100')
        capacities.set(contender, median(taken.map(({ rate }) => rate!)))
      const row = { broker: plan.place.kind, workload: workload.id, contender: contender.title, unit: workload.unit }
      rows.push(taken ? { ...row, samples: taken } : row)
    }
  }
  return rows
}

/** Of each contender that can take part; none of a peer that failed or hung. */
async function meet(
  plan: Plan,
  workload: Workload,
  contenders: readonly Contender[],
  capacities: ReadonlyMap<Contender, number>,
): Promise<Map<Contender, Measures[]>> {
  const lineUp = lineUpOf(workload, contenders, { kind: plan.place.kind, quick: plan.quick })
  const able = [...lineUp.keys()]
  const rounds = Math.max(...lineUp.values())
  const samples = new Map(able.map((contender) => [contender, [] as Measures[]]))
  const leftOut = new Set<Contender>()
  const take = async (contender: Contender, how: { part?: number; capacity?: number }): Promise<Measures | undefined> => {
    try {
      return await bout(plan, workload, contender, { ...how, deadline: contender.isPeer ? PEER_DEADLINE : DEADLINE })
    } catch (error) {
      if (!contender.isPeer) throw error
      console.error(`\n${(error as Error).message}: left out`)
      samples.set(contender, [])
      leftOut.add(contender)
      return undefined
    }
  }
  const part = rounds === MANY ? 1 : WARMUP
  if (rounds > 1 && !workload.cold) for (const contender of able) await take(contender, { part })
  for (let round = 0; round < rounds; round++)
    for (const contender of round % 2 === 0 ? able : able.toReversed()) {
      if (round >= lineUp.get(contender)!) continue
      plan.onBout(`${plan.place.kind} · ${workload.title} · ${contender.title}`)
      if (leftOut.has(contender)) continue
      const measures = await take(contender, { capacity: capacities.get(contender) ?? Infinity })
      if (measures) samples.get(contender)!.push(measures)
    }
  return samples
}

/** Who takes part, and with how many bouts. */
export function lineUpOf(
  { id, needs, pair, rounds }: Workload,
  contenders: readonly Contender[],
  { kind, quick }: { readonly kind: Kind; readonly quick: boolean },
): Map<Contender, number> {
  const able = contenders.filter(
    ({ abilities, workloads }) => needs.every((need) => abilities.has(need)) && (workloads?.has(id) ?? true),
  )
  const judged = new Set(
    targets
      .filter(({ broker, workload }) => broker === kind && workload === id)
      .flatMap(({ contender = contenders[0]!.title, of = contenders[1]!.title }) => [contender, of]),
  )
  const boutsOf = ({ title, isPeer }: Contender): number => {
    const most = quick ? QUICK_ROUNDS : isPeer ? LEAST : MANY
    return Math.min(most, rounds ?? (judged.has(title) ? MANY : FEWER))
  }
  return new Map((pair ? able.slice(0, 2) : able).map((contender) => [contender, boutsOf(contender)]))
}

async function bout(
  plan: Plan,
  workload: Workload,
  contender: Contender,
  { part = 1, capacity = Infinity, deadline }: { part?: number; capacity?: number; deadline: number },
): Promise<Measures> {
  const jobs = Math.ceil((plan.quick ? workload.jobs.quick! : workload.jobs.full) * part)
  const late = new Error(`${plan.place.kind}, ${workload.id}, ${contender.title}: not done after ${deadline / 60_000} minutes`)
  const queue = `bench-${randomBytes(5).toString('hex')}`
  const held = await contender.open(queue)
  let timer: NodeJS.Timeout | undefined
  const end = new Promise<never>((_, reject) => (timer = setTimeout(reject, deadline, late)))
  try {
    return await Promise.race([play(plan, workload, contender, { queue, held, jobs, capacity }), end])
  } finally {
    clearTimeout(timer)
    // of one that hangs, this ends what it still has running
    await Promise.race([held.drop(), pause(DROP_DEADLINE, undefined, { ref: false })])
  }
}

async function play(
  { place }: Plan,
  workload: Workload,
  contender: Contender,
  { queue, held, jobs, capacity }: { queue: string; held: Bout; jobs: number; capacity: number },
): Promise<Measures> {
  const port = portHere(place.url)
  await held.prepare?.()
  return workload.run(held, jobs, {
    capacity,
    brokerMemory: () => (port === 0 ? undefined : memoryAt(port)),
    rest: () => atRest(() => (port === 0 ? 0 : (processorTimeAt(port) ?? 0))),
    processes: (count) => crowdOf(count, { place, contender: contender.title, queue }),
  })
}

/** 0: it is no server of this machine. */
function portHere(url: string): number {
  if (!URL.canParse(url)) return 0
  const { hostname, port } = new URL(url)
  return hostname === '127.0.0.1' ? Number(port) : 0
}

/** `worked`: ms so far. */
async function atRest(worked: () => number): Promise<void> {
  for (const end = Date.now() + LONGEST_REST; Date.now() < end; ) {
    const before = worked()
    await pause(REST)
    if (worked() - before < REST * IDLE) return
  }
}
