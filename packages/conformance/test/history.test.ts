import { expect } from 'chai'
import { violations, type Allowance, type History, type HistoryEvent, type Rule } from '../src/history.ts'

const added = (uid: string, { id = uid, attempts = 1, due = 0 } = {}): HistoryEvent => ({ type: 'added', uid, id, attempts, due })
const started = (uid: string, at = 1_000): HistoryEvent => ({ type: 'started', uid, at })
const [failed, released, completed, dead, removed] = (['failed', 'released', 'completed', 'dead', 'removed'] as const).map(
  (type) =>
    (uid: string): HistoryEvent => ({ type, uid }),
) as [End, End, End, End, End]
const redriven = (uid: string, as: string): HistoryEvent => ({ type: 'redriven', uid, as })

type End = (uid: string) => HistoryEvent
interface Bad extends Partial<History>, Allowance {
  readonly what: string
  readonly rules: readonly Rule[]
}

const history = ({ events = [], live = [], dead: letters = [] }: Partial<History>): History => ({ events, live, dead: letters })

const BAD: readonly Bad[] = [
  { what: 'an accepted job that is nowhere', rules: ['lost'], events: [added('a'), added('b'), started('b'), completed('b')] },
  {
    what: 'an accepted job that is nowhere, where only counts are known',
    rules: ['lost'],
    events: [added('a'), added('b')],
    live: 1,
  },
  { what: 'a dead job without its letter', rules: ['lost'], events: [added('a'), started('a'), dead('a')] },
  { what: 'a job that nobody added', rules: ['unexpected'], events: [started('x'), completed('x')] },
  { what: 'a live job that nobody added', rules: ['unexpected'], live: ['x'] },
  {
    what: 'a start before its time',
    rules: ['started early'],
    events: [added('a', { due: 1_001 }), started('a', 1_000), completed('a')],
  },
  {
    what: 'a second run during the first',
    rules: ['ran twice at once'],
    events: [added('a', { attempts: 2 }), started('a'), started('a'), completed('a')],
  },
  {
    what: 'a run after completion',
    rules: ['ran after its end'],
    events: [added('a', { attempts: 2 }), started('a'), completed('a'), started('a')],
  },
  {
    what: 'more runs than attempts',
    rules: ['too many starts'],
    events: [added('a'), started('a'), failed('a'), started('a'), completed('a')],
  },
  {
    what: 'more runs than attempts and crashes',
    rules: ['too many starts'],
    crashLimit: 1,
    duplicates: 9,
    events: [added('a'), started('a'), started('a'), started('a'), completed('a')],
  },
  {
    what: 'two live jobs of one id, both run',
    rules: ['two live jobs of one id'],
    events: [added('a', { id: 'i' }), added('b', { id: 'i' }), started('a'), started('b'), completed('a'), completed('b')],
  },
  {
    what: 'two live jobs of one id at the end',
    rules: ['two live jobs of one id'],
    events: [added('a', { id: 'i' }), added('b', { id: 'i' })],
    live: ['a', 'b'],
  },
  {
    what: 'a job that completed twice',
    rules: ['completed twice'],
    events: [added('a'), started('a'), completed('a'), completed('a')],
  },
  {
    what: 'a job with both ends',
    rules: ['completed and dead'],
    events: [added('a'), started('a'), completed('a')],
    dead: ['a'],
  },
  {
    what: 'a dead letter that lies there twice',
    rules: ['dead letter twice'],
    events: [added('a'), started('a'), dead('a')],
    dead: ['a', 'a'],
  },
  {
    what: 'two deaths of one job',
    rules: ['dead letter twice'],
    events: [added('a'), started('a'), dead('a'), dead('a')],
    dead: ['a'],
  },
  {
    what: 'a removed job that ran',
    rules: ['removed but ran'],
    events: [added('a'), removed('a'), started('a'), completed('a')],
  },
  {
    what: 'a completed job that is still live',
    rules: ['conservation'],
    events: [added('a'), started('a'), completed('a')],
    live: ['a'],
  },
  {
    what: 'a redriven letter that stayed',
    rules: ['conservation'],
    events: [added('a'), started('a'), dead('a'), redriven('a', 'b')],
    dead: ['a'],
    live: ['b'],
  },
  {
    what: 'more live jobs than can be, where only counts are known',
    rules: ['conservation'],
    events: [added('a'), started('a'), completed('a')],
    live: 1,
  },
  {
    what: 'a redriven job that is nowhere',
    rules: ['lost'],
    events: [added('a'), started('a'), dead('a'), redriven('a', 'b')],
  },
  {
    what: 'more duplicates than the faults explain',
    rules: ['ran after its end'],
    duplicates: 1,
    crashLimit: 3,
    events: [added('a'), started('a'), completed('a'), started('a'), started('a')],
  },
]

const GOOD: readonly Omit<Bad, 'rules'>[] = [
  { what: 'nothing' },
  {
    what: 'a job of each fate',
    live: ['waits'],
    dead: ['dies'],
    events: [
      added('waits'),
      added('goes'),
      removed('goes'),
      added('runs', { attempts: 3, due: 999 }),
      started('runs'),
      failed('runs'),
      started('runs'),
      added('dies'),
      started('dies'),
      dead('dies'),
      completed('runs'),
    ],
  },
  { what: 'only counts', live: 2, events: [added('a'), added('b'), added('c'), started('c'), completed('c')] },
  { what: 'a receipt that came after the run', events: [started('a'), completed('a'), added('a')] },
  {
    what: 'an id that is used again once it is free',
    events: [added('a', { id: 'i' }), started('a'), added('b', { id: 'i' }), completed('a'), started('b'), completed('b')],
  },
  { what: 'a release, which costs no attempt', events: [added('a'), started('a'), released('a'), started('a'), completed('a')] },
  {
    what: 'a redriven job with attempts of its own',
    events: [added('a'), started('a'), dead('a'), redriven('a', 'b'), started('b'), completed('b')],
  },
  { what: 'a job removed between two runs', events: [added('a', { attempts: 2 }), started('a'), failed('a'), removed('a')] },
  {
    what: 'a lost worker, its run doubled',
    duplicates: 1,
    crashLimit: 3,
    events: [added('a'), started('a'), started('a'), completed('a')],
  },
  {
    what: 'a crash during redrive, its letter doubled',
    duplicates: 1,
    events: [added('a'), started('a'), dead('a')],
    dead: ['a', 'a'],
  },
]

describe('history checker', () => {
  for (const { what, rules, duplicates = 0, crashLimit = 0, ...bad } of BAD) {
    it(`names ${what}: ${rules.join(' and ')}`, () => {
      expect(violations(history(bad), { duplicates, crashLimit }).map(({ rule }) => rule)).to.have.members(rules)
    })
  }

  for (const { what, duplicates = 0, crashLimit = 0, ...good } of GOOD) {
    it(`has nothing against ${what}`, () => {
      expect(violations(history(good), { duplicates, crashLimit })).to.deep.equal([])
    })
  }

  it('has a bad history for every rule', () => {
    const all: Record<Rule, true> = {
      unexpected: true,
      lost: true,
      'started early': true,
      'ran twice at once': true,
      'ran after its end': true,
      'too many starts': true,
      'two live jobs of one id': true,
      'completed twice': true,
      'completed and dead': true,
      'dead letter twice': true,
      'removed but ran': true,
      conservation: true,
    }
    expect([...new Set(BAD.flatMap(({ rules }) => rules))]).to.have.members(Object.keys(all))
  })

  it('says which job, and what was seen', () => {
    const [early] = violations(history({ events: [added('a', { due: 1_020 }), started('a', 1_000), completed('a')] }))
    expect(early).to.deep.equal({ rule: 'started early', uid: 'a', detail: '20 ms before it was due' })
  })
})
