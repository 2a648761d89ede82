import { randomUUID } from 'node:crypto'
import * as fc from 'fast-check'
import type { Driver, Features } from '@jobport/core/driver'
import { Connections } from './connections.ts'
import { Difference, show } from './difference.ts'
import { History, type Names } from './history.ts'
import { smallest } from './smallest.ts'
import { stepsFor, type Step } from './step.ts'
import { realTime, virtualTime, type Clock, type Time } from './time.ts'

/** Where histories are played. */
interface Stage {
  readonly connections: Connections
  readonly features: Features
  readonly time: Time
}

export interface Exploration {
  /** Drivers of one broker. */
  readonly createDriver: () => Driver
  /** The broker's own, if it stands still until it is moved. Default: real time, with short waits. */
  readonly clock?: Clock
  /** Names that nobody else has: two for each lane, whose histories follow each other and leave nothing behind. */
  readonly names: readonly Names[]
  readonly seed: number
  readonly sequences: number
}

export interface Explored {
  readonly sequences: number
  readonly steps: number
}

/** To find the shortest history that still goes wrong, ms. */
const SHRINKING = 60_000

/** Plays histories drawn by chance. Throws the first {@link Difference}, as the shortest history that shows it. */
export async function explore({ createDriver, clock, names, seed, sequences }: Exploration): Promise<Explored> {
  const stage = await stageOf(createDriver, clock)
  try {
    return await play(stage, { names, seed, sequences })
  } finally {
    await stage.connections.close()
  }
}

async function play(
  stage: Stage,
  { names, seed, sequences }: Pick<Exploration, 'names' | 'seed' | 'sequences'>,
): Promise<Explored> {
  const { features, time } = stage
  const histories = fc.array(stepsFor(features, time.waits), { ...time.lengths, size: 'max' })
  const drawn = fc.sample(histories, { seed, numRuns: sequences })
  const left = drawn.entries()
  let found: { readonly sequence: number; readonly difference: Difference } | undefined
  const lane = async (pair: Names): Promise<void> => {
    for (const [sequence, steps] of left) {
      if (found) return
      const difference = await differenceIn(steps, stage, pair)
      if (difference) found ??= { sequence, difference }
    }
  }
  await Promise.all(names.map(lane))
  if (found) {
    const { sequence, difference } = found
    throw await retold(drawn[sequence]!, difference, stage, names, `seed ${seed}, sequence ${sequence}`)
  }
  return { sequences, steps: drawn.reduce((sum, { length }) => sum + length, 0) }
}

/** Plays one history, as a failure of {@link explore} tells it. Throws a {@link Difference} with its story. */
export async function replay(createDriver: () => Driver, steps: readonly Step[], clock?: Clock): Promise<void> {
  const name = `replay-${randomUUID()}`
  const stage = await stageOf(createDriver, clock)
  try {
    const difference = await differenceIn(steps, stage, [name, `${name}-more`])
    if (difference) throw difference
  } finally {
    await stage.connections.close()
  }
}

async function stageOf(createDriver: () => Driver, clock: Clock | undefined): Promise<Stage> {
  const driver = createDriver()
  const { features } = driver
  await driver.close()
  return {
    connections: new Connections(createDriver),
    features,
    time: clock ? virtualTime(clock) : realTime(features),
  }
}

/** As the shortest history that shows a difference, and as a program. */
async function retold(
  steps: readonly Step[],
  first: Difference,
  stage: Stage,
  names: readonly Names[],
  origin: string,
): Promise<Difference> {
  let last: Difference | undefined
  const goesWrong = async (shorter: readonly Step[], lane: number): Promise<boolean> => {
    const difference = await differenceIn(shorter, stage, names[lane]!)
    if (difference) last = difference
    return difference !== undefined
  }
  if (!(await goesWrong(steps, 0)))
    return new Difference(`${first.message}\n(${origin}; played once more, alone, it went right)\n${programOf(steps)}`)
  const shortest = await smallest(steps, goesWrong, { lanes: names.length, until: performance.now() + SHRINKING })
  const again = (await differenceIn(shortest, stage, names[0]!)) ?? last!
  return new Difference(`${again.message}\n(${origin}, ${shortest.length} of ${steps.length} steps)\n${programOf(shortest)}`)
}

async function differenceIn(
  steps: readonly Step[],
  { connections, features, time }: Stage,
  names: Names,
): Promise<Difference | undefined> {
  const history = new History(connections, features, names, time)
  let isSound = false
  try {
    await history.play(steps)
    isSound = true
    return undefined
  } catch (error) {
    const text = error instanceof Difference ? error.message : `it failed: ${(error as Error).stack}`
    return new Difference([text, ...history.story].join('\n'))
  } finally {
    await history.close(isSound)
  }
}

/** `createDriver` is the adapter's own; in virtual time its clock is the third argument. */
function programOf(steps: readonly Step[]): string {
  return [
    "import { replay } from '@jobport/conformance'",
    'await replay(createDriver, [',
    ...steps.map((step) => `  ${show(step)},`),
    '])',
  ].join('\n')
}
