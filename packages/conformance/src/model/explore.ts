import * as fc from 'fast-check'
import type { Driver } from '@jobport/core/driver'
import { Difference, show } from './difference.ts'
import { History, type Names } from './history.ts'
import { smallest } from './smallest.ts'
import { stepsFor, type Step } from './step.ts'
import type { Time } from './time.ts'

/** Where histories are played. */
export interface Stage {
  readonly createDriver: () => Driver
  readonly time: Time
  /** Names that nobody else has: two for each lane, whose histories follow each other and leave nothing behind. */
  readonly names: readonly Names[]
}

export interface Exploration extends Stage {
  readonly seed: number
  readonly sequences: number
}

export interface Explored {
  readonly sequences: number
  readonly steps: number
}

/** Of the steps of a sequence, drawn evenly from 1 to this many. */
const STEPS = 80
/** To find the shortest history that still goes wrong, ms. */
const SHRINKING = 60_000

/** Plays histories drawn by chance. Throws the first {@link Difference}, as the shortest history that shows it. */
export async function explore(options: Exploration): Promise<Explored> {
  const { createDriver, time, names, seed, sequences } = options
  const { features } = createDriver()
  const histories = fc.array(stepsFor(features, time.waits), { minLength: 1, maxLength: STEPS, size: 'max' })
  const drawn = fc.sample(histories, { seed, numRuns: sequences })
  const left = drawn.entries()
  let found: { readonly sequence: number; readonly difference: Difference } | undefined
  const lane = async (pair: Names): Promise<void> => {
    for (const [sequence, steps] of left) {
      if (found) return
      const difference = await differenceIn(steps, options, pair)
      if (difference) found ??= { sequence, difference }
    }
  }
  await Promise.all(names.map(lane))
  if (found) {
    const { sequence, difference } = found
    throw await retold(drawn[sequence]!, difference, options, `seed ${seed}, sequence ${sequence}`)
  }
  return { sequences, steps: drawn.reduce((sum, { length }) => sum + length, 0) }
}

/** Plays one history, as a failure of {@link explore} tells it. Throws a {@link Difference} with its story. */
export async function replay(stage: Stage, steps: readonly Step[]): Promise<void> {
  const difference = await differenceIn(steps, stage, stage.names[0]!)
  if (difference) throw difference
}

/** As the shortest history that shows a difference, and as a program. */
async function retold(steps: readonly Step[], first: Difference, exploration: Exploration, origin: string): Promise<Difference> {
  let last: Difference | undefined
  const { names } = exploration
  const goesWrong = async (shorter: readonly Step[], lane: number): Promise<boolean> => {
    const difference = await differenceIn(shorter, exploration, names[lane]!)
    if (difference) last = difference
    return difference !== undefined
  }
  if (!(await goesWrong(steps, 0)))
    return new Difference(`${first.message}\n(${origin}; played once more, alone, it went right)\n${programOf(steps)}`)
  const shortest = await smallest(steps, goesWrong, { lanes: names.length, until: performance.now() + SHRINKING })
  const again = (await differenceIn(shortest, exploration, names[0]!)) ?? last!
  return new Difference(`${again.message}\n(${origin}, ${shortest.length} of ${steps.length} steps)\n${programOf(shortest)}`)
}

async function differenceIn(
  steps: readonly Step[],
  { createDriver, time }: Stage,
  names: Names,
): Promise<Difference | undefined> {
  const history = new History(createDriver, names, time)
  try {
    await history.play(steps)
    return undefined
  } catch (error) {
    const text = error instanceof Difference ? error.message : `it failed: ${(error as Error).stack}`
    return new Difference([text, ...history.story].join('\n'))
  } finally {
    await history.close()
  }
}

function programOf(steps: readonly Step[]): string {
  return [
    "import { replay } from '@jobport/conformance'",
    'await replay(createDriver, [',
    ...steps.map((step) => `  ${show(step)},`),
    '])',
  ].join('\n')
}
