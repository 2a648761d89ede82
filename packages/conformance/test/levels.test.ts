import { expect } from 'chai'
import { chapters } from '../src/chapters/index.ts'
import { levelOf } from '../src/levels.ts'
import type { Case } from '../src/case.ts'
import type { Result, Status } from '../src/results.ts'

/** Every case of the suite, passed, but for those of which `status` says otherwise. */
function results(status: (each: Case, chapter: number) => Status | undefined = () => undefined): Result[] {
  return chapters.flatMap(({ number: chapter, cases }) =>
    cases.map((each) => ({ ...each, chapter, status: status(each, chapter) ?? 'passed', assertions: 1, ms: 1 })),
  )
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

  it('are core when a declared feature fails, and none when something fails that all owe', () => {
    expect(levelOf(results(({ needs }) => (needs === 'delay' ? 'failed' : undefined)))).to.equal('core')
    expect(levelOf(results(({ id }) => (id === 'LIFE-01' ? 'failed' : undefined)))).to.equal(undefined)
    expect(levelOf([])).to.equal(undefined)
  })
})
