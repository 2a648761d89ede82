import { markdownTable } from '../table.ts'
import type { Verdict } from './judge.ts'

/** One seed's run. */
export interface Round {
  readonly adapter: string
  readonly server: string
  /** Of it the query counts: the adapter's options. */
  readonly url: string
  readonly seed: number
  readonly minutes: number
  readonly date: string
  readonly verdict: Verdict
}

/** What came of all rounds of one broker, as data. */
export interface TortureSummary {
  readonly adapter: string
  readonly server: string
  readonly options: string
  readonly minutes: number
  readonly node: string
  readonly rounds: readonly RoundSummary[]
}

export interface RoundSummary extends Readonly<Record<Count, number>> {
  readonly seed: number
  readonly date: string
  /** How often each rule was broken. */
  readonly wrong: Readonly<Record<string, number>>
}

type Count = (typeof COUNTS)[number]
const COUNTS = ['accepted', 'completed', 'dead', 'untold', 'duplicates', 'starved', 'doubled'] as const

/** At least one round is given, all of one broker. */
export function summaryOf(rounds: readonly Round[]): TortureSummary {
  const { adapter, server, url, minutes } = rounds[0]!
  return {
    adapter,
    server,
    options: new URL(url).search.slice(1),
    minutes,
    node: process.versions.node,
    rounds: rounds.map(({ seed, date, verdict: { wrong, ...counts } }) => ({ seed, date, ...counts, wrong: tallyOf(wrong) })),
  }
}

/** For people: a row for each seed. */
export function tableOf(rounds: readonly Round[]): string {
  const rows = summaryOf(rounds).rounds.map((round) => [
    round.seed,
    ...COUNTS.map((count) => round[count]),
    Object.entries(round.wrong)
      .map(([rule, times]) => `${rule} ${times}`)
      .join(', ') || 'nothing',
  ])
  return markdownTable(['Seed', ...COUNTS, 'wrong'], rows)
}

function tallyOf(wrong: Verdict['wrong']): Record<string, number> {
  const tally: Record<string, number> = {}
  for (const { rule } of wrong) tally[rule] = (tally[rule] ?? 0) + 1
  return tally
}
