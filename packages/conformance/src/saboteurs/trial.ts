import { Bench } from '../bench.ts'
import { certify } from '../certify.ts'
import { chapters } from '../chapters/index.ts'
import { saboteurs as all, type Saboteur } from './index.ts'
import type { Harness } from '../harness.ts'

/** Saboteurs at once: most of their time they wait for what never comes. */
const LANES = 24

export interface Verdict {
  readonly saboteur: Saboteur
  /** The case that must catch it went red, on an assertion of its own. */
  readonly caught: boolean
  /** Ids of all cases that went red on an assertion of their own. */
  readonly red: readonly string[]
}

export interface Trial {
  readonly verdicts: readonly Verdict[]
  /** Ids of the cases that ran and that no saboteur turned red. */
  readonly unproven: readonly string[]
  /** For which there was no broker. */
  readonly untried: readonly Saboteur[]
}

/**
 * Runs the chapters that each saboteur touches against it, and of one that needs a broker, where each case takes its time, the case
 * that must catch it. `harness` gives it honest drivers, spoiled by its `wrap`; none if there is no broker for it.
 */
export async function trySaboteurs(
  harness: (saboteur: Saboteur) => Harness | Promise<Harness> | undefined,
  tell: (verdict: Verdict) => void,
  saboteurs: readonly Saboteur[] = all,
): Promise<Trial> {
  const verdicts: Verdict[] = []
  const untried: Saboteur[] = []
  const ran = new Set<string>()
  const queue = [...saboteurs]
  const lane = async (): Promise<void> => {
    for (let saboteur = queue.shift(); saboteur; saboteur = queue.shift()) {
      const spoiled = await harness(saboteur)
      if (!spoiled) {
        untried.push(saboteur)
        continue
      }
      const bench = new Bench()
      const results = certify(spoiled, { runner: bench, only: casesOf(saboteur), slow: saboteur.needs !== undefined })
      await bench.run()
      for (const { id, status } of results.all()) if (status === 'passed' || status === 'failed') ran.add(id)
      const red = results.with('failed').filter(({ byAssertion }) => byAssertion)
      const ids = red.map(({ id }) => id)
      const verdict = { saboteur, caught: ids.includes(saboteur.caughtBy), red: ids }
      verdicts.push(verdict)
      tell(verdict)
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  const tripped = new Set(verdicts.flatMap(({ red }) => red))
  return { verdicts, unproven: [...ran].filter((id) => !tripped.has(id)).toSorted(), untried }
}

function casesOf({ touches, needs, caughtBy }: Saboteur): ReadonlySet<string> {
  if (needs) return new Set([caughtBy])
  const touched = chapters.filter(({ number }) => touches.includes(number))
  return new Set(touched.flatMap(({ cases }) => cases.filter(({ slow }) => !slow)).map(({ id }) => id))
}
