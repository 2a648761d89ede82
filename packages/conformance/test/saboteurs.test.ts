import { expect } from 'chai'
import { certify } from '../src/certify.ts'
import { chapters } from '../src/chapters/index.ts'
import { listedCases } from '../src/chapters/meta.ts'
import { saboteurs as all, type Saboteur } from '../src/saboteurs/index.ts'
import { delivering } from '../src/saboteurs/delivering.ts'
import { leasing } from '../src/saboteurs/leasing.ts'
import { publishing } from '../src/saboteurs/publishing.ts'
import { reporting } from '../src/saboteurs/reporting.ts'
import { settlements } from '../src/saboteurs/settling.ts'
import { straying } from '../src/saboteurs/straying.ts'
import { tending } from '../src/saboteurs/tending.ts'
import { timing } from '../src/saboteurs/timing.ts'
import { Bench } from '../src/bench.ts'
import { memory } from './memory.ts'
import type { Result } from '../src/results.ts'
import type { Driver } from '@jobport/core/driver'

/** Those that memory can show; the others are tried on Redis, in its adapter's tests. */
const saboteurs = all.filter(({ needs }) => needs === undefined)

/** Quick cases of each chapter that look at what it is about. */
const WITNESSES: ReadonlyMap<number, readonly string[]> = new Map([
  [1, ['LIFE-03', 'LIFE-05', 'LIFE-07', 'LIFE-13', 'LIFE-22']],
  [2, ['RET-01', 'RET-02', 'RET-05', 'RET-07']],
  [3, ['DEL-03', 'DEL-08']],
  [4, ['DUP-01', 'DUP-08']],
  [5, ['DLQ-02', 'DLQ-13']],
  [6, ['CON-02', 'CON-05', 'CON-10']],
  [7, ['ORD-03']],
  [8, ['SHU-01', 'SHU-09']],
  [10, ['BAD-06', 'BAD-07']],
])

/** As many saboteurs at work at once: most of their time they wait for what never comes. */
const LANES = 16

interface Trial {
  readonly caught: Result | undefined
  readonly red: readonly (Result | undefined)[]
}

describe('saboteurs', function () {
  this.timeout(600_000)
  const trials = new Map<Saboteur, Trial>()

  before(async () => {
    const queue = [...saboteurs]
    const work = async (): Promise<void> => {
      for (let next = queue.shift(); next; next = queue.shift()) trials.set(next, await trial(next))
    }
    await Promise.all(Array.from({ length: LANES }, work))
  })

  it('are many, of every kind, each with a name of its own', () => {
    expect(saboteurs.length).to.be.at.least(40)
    for (const kind of [publishing, delivering, settlements, leasing, timing, tending, reporting, straying]) {
      expect(kind).to.be.an('array').that.is.not.empty
      expect(all).to.include.members([...kind])
    }
    expect(new Set(all.map(({ name }) => name)).size).to.equal(all.length)
  })

  it('touch the chapter that catches them, and not all chapters', async () => {
    const listed = await listedCases()
    const chapterOf = (id: string): number | undefined => listed.find((each) => each.id === id)?.chapter
    for (const { name, caughtBy, touches } of all) {
      expect(touches, name).to.include(chapterOf(caughtBy))
      expect(
        [...WITNESSES.keys()].filter((number) => !touches.includes(number)),
        name,
      ).to.not.be.empty
    }
  })

  it('are needed: the honest driver passes every case that catches one, and every witness', async () => {
    const ids = [...saboteurs.map(({ caughtBy }) => caughtBy), ...[...WITNESSES.values()].flat()]
    const results = await run((driver) => driver, new Set(ids))
    expect(results.map(({ id }) => id)).to.have.members([...new Set(ids)])
    expect(results.filter(({ status }) => status !== 'passed')).to.deep.equal([])
  })

  for (const saboteur of saboteurs) {
    const { name, caughtBy } = saboteur
    it(`that ${name}: caught by ${caughtBy}, on an assertion of its own, while other chapters stay green`, () => {
      const { caught, red } = trials.get(saboteur)!
      expect(caught, 'the case that must catch it').to.include({ status: 'failed', byAssertion: true })
      expect(red, 'red beyond the chapters that it touches').to.deep.equal([])
    })
  }
})

async function trial({ wrap, caughtBy, touches }: Saboteur): Promise<Trial> {
  const witnesses = [...WITNESSES].filter(([number]) => !touches.includes(number)).flatMap(([, ids]) => ids)
  const [caught] = await run(wrap, new Set([caughtBy]))
  const results = await run(wrap, new Set(witnesses))
  return { caught, red: results.filter(({ status }) => status !== 'passed') }
}

async function run(wrap: (driver: Driver) => Driver, only: ReadonlySet<string>): Promise<Result[]> {
  const bench = new Bench()
  const results = certify(memory(wrap), { runner: bench, only, seed: 1, chapters })
  await bench.run()
  return results.all()
}
