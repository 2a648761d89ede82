import type { Step } from './step.ts'

/** Whether these steps still go wrong, played in that lane. */
export type GoesWrong = (steps: readonly Step[], lane: number) => Promise<boolean>

/** The shortest history that still goes wrong, found by leaving out ever fewer steps at a time, then what the jobs of a step do not need. */
export async function smallest(
  steps: readonly Step[],
  goesWrong: GoesWrong,
  { lanes, until }: { lanes: number; until: number },
): Promise<readonly Step[]> {
  const search = new Search(goesWrong, lanes, until)
  let found = steps
  for (let size = Math.ceil(steps.length / 2); size >= 1 && !search.isOver; ) {
    const shorter = await search.first(withoutRuns(found, size))
    if (shorter) found = shorter
    else if (size > 1) size = Math.ceil(size / 2)
    else break
    size = Math.min(size, Math.max(1, found.length))
  }
  for (let plainer = await search.first(plainerThan(found)); plainer; plainer = await search.first(plainerThan(found)))
    found = plainer
  return found
}

/** Tries candidates, some at a time. */
class Search {
  readonly #goesWrong: GoesWrong
  readonly #lanes: number
  readonly #until: number

  constructor(goesWrong: GoesWrong, lanes: number, until: number) {
    this.#goesWrong = goesWrong
    this.#lanes = lanes
    this.#until = until
  }

  get isOver(): boolean {
    return performance.now() > this.#until
  }

  async first(candidates: readonly (readonly Step[])[]): Promise<readonly Step[] | undefined> {
    for (let i = 0; i < candidates.length && !this.isOver; i += this.#lanes) {
      const batch = candidates.slice(i, i + this.#lanes)
      const wrong = await Promise.all(batch.map((steps, lane) => this.#goesWrong(steps, lane)))
      const found = batch.find((_, n) => wrong[n])
      if (found) return found
    }
    return undefined
  }
}

/** Later steps first: a history needs its beginning most. */
function withoutRuns(steps: readonly Step[], size: number): (readonly Step[])[] {
  const starts = Array.from({ length: Math.ceil(steps.length / size) }, (_, i) => i * size).toReversed()
  return starts.map((start) => steps.toSpliced(start, size))
}

/** Each with one job less, or one option less. */
function plainerThan(steps: readonly Step[]): (readonly Step[])[] {
  return steps.flatMap((step, i) => {
    if (!('jobs' in step)) return []
    const jobs: readonly object[] = step.jobs
    const fewer = jobs.length > 1 ? jobs.map((_, n) => jobs.toSpliced(n, 1)) : []
    const plainer = jobs.flatMap((job, n) =>
      Object.keys(job)
        .filter((key) => key !== 'name')
        .map((key) => jobs.with(n, without(job, key))),
    )
    return [...fewer, ...plainer].map((list) => steps.with(i, { ...step, jobs: list } as Step))
  })
}

/** A dedup window goes with the id that it belongs to. */
function without(job: object, key: string): object {
  const gone = key === 'id' ? ['id', 'ttl'] : [key]
  return Object.fromEntries(Object.entries(job).filter(([other]) => !gone.includes(other)))
}
