import { chapters } from './chapters/index.ts'
import type { Case, Chapter } from './case.ts'
import type { Result, Status } from './results.ts'
import type { TortureSummary } from './torture/rounds.ts'

/**
 * What was shown, each level with those before it. `core`: what every adapter owes. `features`: what it declares, and that
 * it refuses the rest, for which the slow cases may be left out. `resilience`: the faults of chapter 9, on a broker that was broken for it. `endurance`: the slow cases
 * of chapter 11, and a torture of at least twenty seeds, two minutes each, in which nothing was wrong.
 */
export type Level = (typeof LEVELS)[number]
export const LEVELS = ['core', 'features', 'resilience', 'endurance'] as const

/** The chapters of the faults and of scale. */
export const FAULTS = 9
export const SCALE = 11
const SEEDS = 20
const MINUTES = 2

/** The highest level that these results reach. A case that was left out reaches none. */
export function levelOf(results: readonly Result[], torture?: TortureSummary): Level | undefined {
  const statuses = new Map(results.map(({ id, status }) => [id, status]))
  const hold = (cases: readonly Case[], allowed: (each: Case) => readonly (Status | 'left out')[]): boolean =>
    cases.every((each) => allowed(each).includes(statuses.get(each.id) ?? 'left out'))
  const casesOf = (which: (chapter: Chapter, each: Case) => boolean): Case[] =>
    chapters.flatMap((chapter) => chapter.cases.filter((each) => which(chapter, each)))
  const isScale = ({ number }: Chapter, { slow }: Case): boolean => number === SCALE && slow === true
  const usual = casesOf((chapter, each) => chapter.number !== FAULTS && !isScale(chapter, each))

  const owed = usual.filter(({ needs }) => needs === undefined)
  if (!hold(owed, ({ slow }) => ['passed', 'not applicable', ...optional(slow)])) return undefined
  const declared = usual.filter(({ needs }) => needs !== undefined)
  if (!hold(declared, ({ slow }) => ['passed', 'refused', 'not applicable', ...optional(slow)])) return 'core'
  const faults = casesOf(({ number }) => number === FAULTS)
  if (!hold(faults, ({ fills, wire }) => (fills || wire ? ['passed', 'not applicable'] : ['passed']))) return 'features'
  return hold(casesOf(isScale), () => ['passed', 'refused']) && endures(torture) ? 'endurance' : 'resilience'
}

function optional(slow: true | undefined): readonly 'left out'[] {
  return slow ? ['left out'] : []
}

function endures(torture: TortureSummary | undefined): boolean {
  if (!torture || torture.minutes < MINUTES) return false
  const clean = torture.rounds.filter(({ wrong }) => Object.keys(wrong).length === 0)
  return clean.length === torture.rounds.length && new Set(clean.map(({ seed }) => seed)).size >= SEEDS
}
