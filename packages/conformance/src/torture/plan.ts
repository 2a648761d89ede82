/** What is done to the system while it works. Each is over by itself after a while. */
export type Blow =
  | 'kill a worker'
  | 'freeze a worker'
  | 'cut the producers'
  | 'cut the workers'
  | 'silence the workers'
  | 'slow the network'
  | 'restart the broker'
  | 'kill the broker'
  | 'freeze the broker'

export interface PlannedBlow {
  /** Counted from the start, ms. */
  readonly at: number
  readonly blow: Blow
  /** Which worker, as a share of all. */
  readonly victim: number
  /** How long what lasts is to last, ms. */
  readonly ms: number
}

/** What a producer adds next. */
export interface PlannedJob {
  /** Of those that give it an id. */
  readonly given: boolean
  readonly delay: number
  readonly attempts: number
  /** How many of its runs fail. */
  readonly fails: number
  /** How long each takes, ms. */
  readonly ms: number
  readonly priority: number
}

const SHARES: Record<Blow, number> = {
  'kill a worker': 6,
  'freeze a worker': 4,
  'cut the producers': 2,
  'cut the workers': 3,
  'silence the workers': 1,
  'slow the network': 1,
  'restart the broker': 1,
  'kill the broker': 2,
  'freeze the broker': 1,
}
const DRAWS = Object.entries(SHARES).flatMap(([blow, share]) => Array.from({ length: share }, () => blow as Blow))

/** Between two blows, ms. */
const SHORTEST_CALM = 2_000
const LONGEST_CALM = 5_000
/** The last blow comes no later than this before the end, ms. */
const LAST_CALM = 5_000

/** The same numbers give the same plan, whatever happens while it is carried out. */
export function planBlows(minutes: number, random: () => number): PlannedBlow[] {
  const plan: PlannedBlow[] = []
  const calm = (): number => SHORTEST_CALM + random() * (LONGEST_CALM - SHORTEST_CALM)
  for (let at = calm(); at < minutes * 60_000 - LAST_CALM; at += calm()) {
    plan.push({
      at: Math.round(at),
      blow: DRAWS[Math.floor(random() * DRAWS.length)]!,
      victim: random(),
      ms: Math.round(500 + random() * 3_000),
    })
  }
  return plan
}

export function planJob(random: () => number): PlannedJob {
  const below = (limit: number): number => Math.floor(random() * limit)
  const attempts = 1 + below(4)
  return {
    given: random() < 0.7,
    delay: random() < 0.3 ? below(2_000) : 0,
    attempts,
    fails: random() < 0.3 ? below(attempts + 1) : 0,
    ms: random() < 0.1 ? below(300) : below(5),
    priority: random() < 0.2 ? below(10) : 0,
  }
}
