import { execFileSync } from 'node:child_process'
import { cpus, totalmem } from 'node:os'
import { chapters } from './chapters/index.ts'
import { levelOf, type Level } from './levels.ts'
import { quantilesOf, type Quantiles } from './quantiles.ts'
import { versionBeside } from './versions.ts'
import type { Features } from '@jobport/core/driver'
import type { Result, Results, Status } from './results.ts'
import type { TortureSummary } from './torture/rounds.ts'

/** What a run of the suite showed, as data; `certificate.schema.json` of this package describes it. */
export interface Certificate {
  readonly adapter: string
  /** Everything that the adapter promises holds: no case failed, none was left out. */
  readonly certified: boolean
  /** Absent: not even `core`. */
  readonly level?: Level
  /** How the broker stood: one server, unless told otherwise. */
  readonly topology: string
  readonly machine: Machine
  readonly date: string
  /** Give it to the next run to draw the same by chance. */
  readonly seed: number
  /** The commit of the folder in which it ran, with `+` if that had changes, but for certificates. Absent: it was no checkout. */
  readonly revision?: string
  readonly versions: Readonly<Record<string, string>>
  readonly features: Features
  /** How late delayed jobs started; negative would be early. */
  readonly lateness?: Quantiles
  /** By how much of its due time a delayed job was overtaken by one that was due later; 0 by none. */
  readonly disorder?: Quantiles
  /** How long after the loss of its worker a job ran again. */
  readonly redelivery?: Quantiles
  /** What jobport-torture showed of this broker, if that was given to the run. */
  readonly torture?: TortureSummary
  /** Of all cases together, ms. */
  readonly ms: number
  /** The most that the suite's own process, with the clients in it, held of the machine's memory, bytes. */
  readonly peakMemory: number
  /** The most that all processes of the broker held, as sampled every two seconds, bytes. Absent: nobody could tell. */
  readonly peakBrokerMemory?: number
  readonly chapters: readonly ChapterTally[]
  readonly cases: readonly Result[]
}

export interface Machine {
  readonly system: string
  readonly cpus: number
  /** Bytes. */
  readonly memory: number
}

export interface ChapterTally extends Readonly<Record<Status, number>> {
  readonly number: number
  readonly title: string
}

/** What the results alone do not tell. */
export interface Circumstances {
  readonly adapter: string
  readonly features: Features
  /** Of the server, the adapter, its clients and whatever else the run depended on; core's and Node's are added. */
  readonly versions: Readonly<Record<string, string>>
  /** Default: `single`. */
  readonly topology?: string
  readonly torture?: TortureSummary
  /** Bytes. */
  readonly peakBrokerMemory?: number
}

export function certificateOf(
  results: Results,
  { adapter, features, versions, topology = 'single', torture, peakBrokerMemory }: Circumstances,
  date: Date = new Date(),
): Certificate {
  const cases = results.all()
  const level = levelOf(cases, torture)
  const revision = revisionOf()
  const lateness = quantilesOf(results.timings.lateness)
  const disorder = quantilesOf(results.timings.disorder)
  const redelivery = quantilesOf(results.timings.redelivery)
  return {
    adapter,
    certified: cases.length > 0 && cases.every(({ status }) => status !== 'failed' && status !== 'unreached'),
    ...(level && { level }),
    topology,
    machine: { system: `${process.platform} ${process.arch}`, cpus: cpus().length, memory: totalmem() },
    date: date.toISOString(),
    seed: results.seed,
    ...(revision !== undefined && { revision }),
    versions: { core: versionBeside(import.meta.resolve('@jobport/core')), ...versions, node: process.versions.node },
    features,
    ...(lateness && { lateness }),
    ...(disorder && { disorder }),
    ...(redelivery && { redelivery }),
    ...(torture && { torture }),
    ms: cases.reduce((sum, { ms }) => sum + ms, 0),
    peakMemory: process.resourceUsage().maxRSS * 1_024,
    ...(peakBrokerMemory !== undefined && { peakBrokerMemory }),
    chapters: tally(cases),
    cases,
  }
}

function revisionOf(): string | undefined {
  try {
    const commit = git('rev-parse', '--short=12', 'HEAD')
    const changes = git('status', '--porcelain', '--untracked-files=no', '--', ':(top)', ':(top,exclude,glob)**/certificates/**')
    return changes === '' ? commit : `${commit}+`
  } catch {
    return undefined
  }
}

function git(...args: string[]): string {
  return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
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
