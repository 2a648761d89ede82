import { expect } from 'chai'
import { chapters } from '../src/chapters/index.ts'
import { levelOf } from '../src/levels.ts'
import type { Case } from '../src/case.ts'
import type { Result, Status } from '../src/results.ts'
import type { TortureSummary } from '../src/torture/rounds.ts'

/** Every case of the suite, passed, but for those of which `status` says otherwise. */
function results(status: (each: Case, chapter: number) => Status | undefined = () => undefined): Result[] {
  return chapters.flatMap(({ number: chapter, cases }) =>
    cases.map((each) => ({ ...each, chapter, status: status(each, chapter) ?? 'passed', assertions: 1, ms: 1 })),
  )
}

/** The last of so many seeds broke these rules. */
function torture(seeds: number, wrong: Readonly<Record<string, number>> = {}): TortureSummary {
  const counts = { accepted: 9, completed: 9, dead: 0, untold: 0, duplicates: 1, starved: 0, doubled: 0 }
  const rounds = Array.from({ length: seeds }, (_, i) => ({ seed: i + 1, date: '2026-11-25T10:00:00Z', ...counts, wrong: {} }))
  const last = { ...rounds.at(-1)!, wrong }
  return { adapter: 'made', server: 'made 1.2', options: '', minutes: 2, node: '24.0.0', rounds: [...rounds.slice(0, -1), last] }
}

describe('levels', () => {
  it('are resilience when all passed, a case too that fills a broker which cannot be filled', () => {
    expect(levelOf(results())).to.equal('resilience')
    expect(levelOf(results(({ fills }) => (fills ? 'not applicable' : undefined)))).to.equal('resilience')
  })

  it('are features without a broker to break, and with features that are refused as declared', () => {
    const unbroken = results(({ breaks }) => (breaks ? 'not applicable' : undefined))
    expect(levelOf(unbroken)).to.equal('features')
    const undurable = results(({ needs }) => (needs === 'durable' ? 'refused' : undefined))
    expect(levelOf(undurable)).to.equal('features')
  })

  it('are features when one fault is not survived, or was left out', () => {
    expect(levelOf(results(({ id }) => (id === 'FLT-02' ? 'failed' : undefined)))).to.equal('features')
    expect(levelOf(results().filter(({ id }) => id !== 'FLT-02'))).to.equal('features')
  })

  it('are resilience on a broker without a wire, and features when the slow cases were left out', () => {
    expect(levelOf(results(({ wire }) => (wire ? 'not applicable' : undefined)))).to.equal('resilience')
    const slow = new Set(chapters.flatMap(({ cases }) => cases.filter((each) => each.slow)).map(({ id }) => id))
    expect(levelOf(results().filter(({ id }) => !slow.has(id)))).to.equal('features')
    expect(levelOf(results(({ id }) => (id === 'SET-04' ? 'failed' : undefined)))).to.equal(undefined)
  })

  it('are endurance with a clean torture of twenty seeds, and the slow cases of chapter 11', () => {
    const slow = results(({ slow }, chapter) => (slow && chapter === 11 ? 'failed' : undefined))
    expect(levelOf(results(), torture(20))).to.equal('endurance')
    expect(levelOf(results(), torture(19))).to.equal('resilience')
    expect(levelOf(results(), { ...torture(20), minutes: 1 })).to.equal('resilience')
    expect(levelOf(results(), torture(20, { lost: 1 }))).to.equal('resilience')
    expect(levelOf(slow, torture(20))).to.equal('resilience')
  })

  it('are core when a declared feature fails, and none when something fails that all owe', () => {
    expect(levelOf(results(({ needs }) => (needs === 'delay' ? 'failed' : undefined)))).to.equal('core')
    expect(levelOf(results(({ id }) => (id === 'LIFE-01' ? 'failed' : undefined)))).to.equal(undefined)
    expect(levelOf([])).to.equal(undefined)
  })
})
