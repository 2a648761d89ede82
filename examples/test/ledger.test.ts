import { expect } from 'chai'
import { Ledger } from '../orders/ledger.ts'

const quiet = { waiting: 0, delayed: 0, active: 0, dead: 0 }

describe('the ledger of the orders example', () => {
  let ledger: Ledger

  beforeEach(() => {
    ledger = new Ledger()
    for (const uid of ['a', 'b', 'c']) ledger.added('pay', { id: `pay:${uid}`, added: true, uid })
    ledger.ended('a', 'pay', 'completed')
    ledger.ended('b', 'pay', 'dead')
    ledger.removed('pay:c', 'pay')
  })

  it('finds nothing wrong where every job has one end', () => {
    expect(ledger.mistakes({ counts: { ...quiet, dead: 1 }, dead: ['b'] })).to.deep.equal([])
    expect(ledger.total()).to.deep.equal({ accepted: 3, completed: 1, dead: 1, removed: 1, live: 0, retries: 0 })
  })

  it('finds a job whose end nobody told of', () => {
    ledger.added('confirm', { id: 'd', added: true, uid: 'd' })
    const mistakes = ledger.mistakes({ counts: { ...quiet, dead: 1 }, dead: ['b'] })
    expect(mistakes).to.deep.equal(['4 accepted ≠ 1 completed + 1 dead + 1 removed + 0 live'])
  })

  it('accepts it as long as the broker has it', () => {
    ledger.added('confirm', { id: 'd', added: true, uid: 'd' })
    expect(ledger.mistakes({ counts: { ...quiet, delayed: 1, dead: 1 }, dead: ['b'] })).to.deep.equal([])
  })

  it('finds a removed job that ran all the same', () => {
    ledger.ended('c', 'pay', 'completed')
    expect(ledger.mistakes({ counts: { ...quiet, dead: 1 }, dead: ['b'] })).to.deep.equal([
      '3 accepted ≠ 2 completed + 1 dead + 1 removed + 0 live',
      'pay c: removed and completed',
    ])
  })

  it('finds a dead job that is missing from the dead letters, and a dead letter that nobody told of', () => {
    const counts = { ...quiet, dead: 1 }
    expect(ledger.mistakes({ counts, dead: ['a'] })).to.deep.equal([
      'pay a: a dead letter, but completed',
      'pay b: dead, but no dead letter',
    ])
    expect(ledger.mistakes({ counts, dead: ['b', 'x'] })).to.deep.equal(['dead letter x: nobody added it'])
  })

  it('finds a job that ended and was never added', () => {
    ledger.ended('y', 'pay', 'completed')
    const mistakes = ledger.mistakes({ counts: { ...quiet, dead: 1 }, dead: ['b'] })
    expect(mistakes.at(-1)).to.equal('pay y: nobody added it')
  })

  it('counts a job that ran twice once', () => {
    ledger.ended('a', 'pay', 'completed')
    expect(ledger.mistakes({ counts: { ...quiet, dead: 1 }, dead: ['b'] })).to.deep.equal([])
  })

  it('follows a redriven job to its new uid, and counts it once', () => {
    ledger.ended('b2', 'pay', 'completed')
    ledger.redrove('b', 'pay', { id: 'pay:b', added: true, uid: 'b2' })
    expect(ledger.mistakes({ counts: quiet, dead: [] })).to.deep.equal([])
    expect(ledger.total()).to.include({ accepted: 3, completed: 2, dead: 0 })
  })

  it('counts a refused duplicate as no job', () => {
    ledger.added('pay', { id: 'pay:a', added: false, uid: 'a' })
    expect([ledger.duplicates, ledger.total().accepted]).to.deep.equal([1, 3])
  })

  it('is settled once every job of the kinds asked for has ended', async () => {
    const signal = AbortSignal.timeout(1_000)
    ledger.added('confirm', { id: 'd', added: true, uid: 'd' })
    await ledger.settled(signal, 'pay')
    const all = ledger.settled(signal)
    ledger.ended('d', 'confirm', 'completed')
    await all
  })

  it('does not wait for ever', async () => {
    ledger.added('confirm', { id: 'd', added: true, uid: 'd' })
    const message = await ledger.settled(AbortSignal.abort()).catch((error: Error) => error.message)
    expect(message).to.equal('1 jobs have not ended')
  })
})
