import { Bench } from '../bench.ts'
import { certify } from '../certify.ts'
import { chapters } from '../chapters/index.ts'
import { saboteurs, type Saboteur } from './index.ts'
import type { Driver } from '@jobport/core/driver'
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
}

/** Runs the chapters that each saboteur touches against it. `harness` makes each one an honest driver, spoiled by `wrap`, on a broker of its own. */
export async function trySaboteurs(
  harness: (wrap: (driver: Driver) => Driver) => Harness,
  tell: (verdict: Verdict) => void,
): Promise<Trial> {
  const verdicts: Verdict[] = []
  const ran = new Set<string>()
  const queue = [...saboteurs]
  const lane = async (): Promise<void> => {
    for (let saboteur = queue.shift(); saboteur; saboteur = queue.shift()) {
      const bench = new Bench()
      const results = certify(harness(saboteur.wrap), { runner: bench, only: casesOf(saboteur) })
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
  return { verdicts, unproven: [...ran].filter((id) => !tripped.has(id)).toSorted() }
}

function casesOf({ touches }: Saboteur): ReadonlySet<string> {
  const touched = chapters.filter(({ number }) => touches.includes(number))
  return new Set(touched.flatMap(({ cases }) => cases.filter(({ slow }) => !slow)).map(({ id }) => id))
}
