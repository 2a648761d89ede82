import { createRequire } from 'node:module'
import { chapters } from './chapters/index.ts'
import { levelOf, type Level } from './levels.ts'
import type { Features } from '@jobport/core/driver'
import type { Result, Results, Status } from './results.ts'

/** What a run of the suite showed, as data. */
export interface Certificate {
  readonly adapter: string
  /** Everything that the adapter promises holds: no case failed, none was left out. */
  readonly certified: boolean
  /** Absent: not even `core`. */
  readonly level?: Level
  readonly date: string
  /** Give it to the next run to draw the same by chance. */
  readonly seed: number
  readonly versions: Readonly<Record<string, string>>
  readonly features: Features
  /** How late delayed jobs started, ms; negative would be early. */
  readonly lateness?: { readonly jobs: number; readonly p50: number; readonly p95: number; readonly max: number }
  readonly chapters: readonly ChapterTally[]
  readonly cases: readonly Result[]
}

export interface ChapterTally extends Readonly<Record<Status, number>> {
  readonly number: number
  readonly title: string
}

/** What the results alone do not tell. */
export interface Circumstances {
  readonly adapter: string
  readonly features: Features
  /** Of the server, the adapter and whatever else the run depended on; core's and Node's are added. */
  readonly versions: Readonly<Record<string, string>>
}

export function certificateOf(
  results: Results,
  { adapter, features, versions }: Circumstances,
  date: Date = new Date(),
): Certificate {
  const cases = results.all()
  const level = levelOf(cases)
  const late = latenessOf(results.lateness)
  return {
    adapter,
    certified: cases.length > 0 && cases.every(({ status }) => status !== 'failed' && status !== 'unreached'),
    ...(level && { level }),
    date: date.toISOString(),
    seed: results.seed,
    versions: { core: versionBeside(import.meta.resolve('@jobport/core')), ...versions, node: process.versions.node },
    features,
    ...(late && { lateness: late }),
    chapters: tally(cases),
    cases,
  }
}

/** The version of the package that the module at this file URL belongs to. */
export function versionBeside(moduleUrl: string): string {
  const root = moduleUrl.replace(/\/(dist|src)\/[^/]*$/, '/')
  const { version } = createRequire(root)('./package.json') as { version: string }
  return version
}

function tally(cases: readonly Result[]): ChapterTally[] {
  const titles = [{ number: 0, title: 'the suite about itself' }, ...chapters]
  return titles.map(({ number, title }) => {
    const count = (status: Status): number => cases.filter((each) => each.chapter === number && each.status === status).length
    return {
      number,
      title,
      passed: count('passed'),
      failed: count('failed'),
      refused: count('refused'),
      'not applicable': count('not applicable'),
      unreached: count('unreached'),
    }
  })
}

function latenessOf(all: readonly number[]): Certificate['lateness'] {
  if (all.length === 0) return undefined
  const sorted = all.toSorted((a, b) => a - b)
  const at = (share: number): number => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!)
  return { jobs: sorted.length, p50: at(0.5), p95: at(0.95), max: at(1) }
}
