import { chapters } from './chapters/index.ts'
import type { Case } from './case.ts'
import type { Result, Status } from './results.ts'

/**
 * What was shown, each level with those before it. `core`: what every adapter owes. `features`: what it declares, and that
 * it refuses the rest. `resilience`: the faults of chapter 9, on a broker that was broken for it.
 */
export type Level = 'core' | 'features' | 'resilience'

/** The chapter of the faults. */
export const FAULTS = 9

/** The highest level that these results reach. A case that was left out reaches none. */
export function levelOf(results: readonly Result[]): Level | undefined {
  const statuses = new Map(results.map(({ id, status }) => [id, status]))
  const hold = (cases: readonly Case[], allowed: (each: Case) => readonly Status[]): boolean =>
    cases.every((each) => allowed(each).includes(statuses.get(each.id) ?? 'unreached'))
  const usual = chapters.filter(({ number }) => number !== FAULTS).flatMap(({ cases }) => cases)
  const faults = chapters.filter(({ number }) => number === FAULTS).flatMap(({ cases }) => cases)

  const owed = usual.filter(({ needs }) => needs === undefined)
  if (!hold(owed, () => ['passed', 'not applicable'])) return undefined
  const declared = usual.filter(({ needs }) => needs !== undefined)
  if (!hold(declared, () => ['passed', 'refused', 'not applicable'])) return 'core'
  return hold(faults, ({ fills }) => (fills ? ['passed', 'not applicable'] : ['passed'])) ? 'resilience' : 'features'
}
