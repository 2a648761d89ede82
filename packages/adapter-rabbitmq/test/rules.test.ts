import { expect } from 'chai'
import { View } from '../src/ledger/view.ts'
import { Log, restart } from './log.ts'
import type { Claim, Entry } from '../src/ledger/entries.ts'

function claim(uid: string, more: Partial<Claim> = {}): Claim {
  return { type: 'claim', id: 'i', uid, copy: `${uid}-1`, seen: 0, ...more }
}

function start(uid: string, run: string, more: { tok?: number; over?: string; copy?: string } = {}): Entry {
  return { type: 'start', uid, run, copy: `${uid}-1`, tok: 0, ...more }
}

const error = { name: 'Error', message: 'no', stack: 'at' }

describe('rules of the ledger', () => {
  it('keeps a repeated remove from the next holder of the id', () => {
    const log = new Log()
    log.ask(claim('u'))
    expect(log.ask({ type: 'remove', id: 'i' }, { writer: 'remover' })).to.deep.equal({ status: 'removed', uid: 'u' })
    const { batch } = log.records.at(-1)!
    log.ask(claim('v'))
    expect(log.repeat(batch)).to.equal('repeat')
    expect(log.state.holders.get('i')?.uid).to.equal('v')
  })

  it('refuses whatever is older than it remembers', () => {
    const log = new Log({ memory: 5 })
    log.ask(claim('u'))
    const { count } = log.state.head
    for (let i = 0; i < 5; i++) log.ask({ type: 'probe', id: 'x' })
    expect(log.status(start('u', 'r'), { seen: count })).to.equal('started')
    expect(log.status(start('u', 'r'), { seen: count })).to.equal('stale')
    expect(log.status(start('u', 'r'))).to.equal('started')
  })

  it('refuses a claim of a job that may have run and ended since it was published', () => {
    const log = new Log({ memory: 5 })
    const seen = log.state.head.count
    for (let i = 0; i < 5; i++) log.ask({ type: 'probe', id: 'x' })
    expect(log.status(claim('u', { seen }))).to.equal('stale')
    expect(log.state.holders.has('i')).to.equal(false)
  })

  it('remembers what is over for as many entries as it promises', () => {
    const log = new Log({ memory: 5 })
    log.ask(claim('u'))
    log.ask(start('u', 'r'))
    log.ask({ type: 'end', uid: 'u', run: 'r' })
    for (let i = 0; i < 5; i++) log.ask({ type: 'probe', id: 'x' })
    expect(log.state.fate('u')).to.include({ kind: 'finished', why: 'ended' })
    log.ask({ type: 'probe', id: 'x' })
    expect(log.state.fate('u')).to.equal(undefined)
  })

  it('gives a producer the verdict of whoever adopted its job', () => {
    const log = new Log()
    expect(log.status(claim('u'), { writer: 'worker' })).to.equal('accepted')
    expect(log.status(claim('v'), { writer: 'worker' })).to.equal('duplicate')
    expect(log.status(claim('u'), { writer: 'producer' })).to.equal('accepted')
    expect(log.ask(claim('v'), { writer: 'producer' })).to.deep.equal({ status: 'duplicate', uid: 'u' })
  })

  it('keeps the id taken after completion, until the dedup window ends', () => {
    const log = new Log()
    log.ask(claim('u', { until: log.at + 1_000 }))
    log.ask(start('u', 'r'))
    log.ask({ type: 'end', uid: 'u', run: 'r' })
    log.at += 999
    expect(log.ask({ type: 'probe', id: 'i' })).to.deep.equal({ status: 'taken', uid: 'u' })
    expect(log.ask(claim('v'))).to.deep.equal({ status: 'duplicate', uid: 'u' })
    log.at += 1
    expect(log.status(claim('w'))).to.equal('accepted')
  })

  for (const [how, entries] of Object.entries<Entry[]>({
    removal: [{ type: 'remove', id: 'i' }],
    purge: [{ type: 'purge' }],
    death: [start('u', 'r'), { type: 'dead', uid: 'u', run: 'r', reason: 'attempts', error }],
  })) {
    it(`ends the dedup window by ${how}`, () => {
      const log = new Log()
      log.ask(claim('u', { until: log.at + 1_000 }))
      for (const entry of entries) log.ask(entry)
      expect(log.status(claim('v'))).to.equal('accepted')
    })
  }

  it('counts as crashes the runs that were replaced, and nothing else', () => {
    const log = new Log()
    log.ask(claim('u'))
    log.ask(start('u', 'r', { tok: 1 }))
    expect(log.ask(start('u', 's', { tok: 2, over: 'r' }))).to.deep.include({ status: 'started', stalled: true })
    log.ask({ type: 'release', uid: 'u', run: 's' })
    expect(log.ask(start('u', 't', { tok: 3 }))).to.deep.include({ status: 'started', stalled: false })
    log.ask({ type: 'again', uid: 'u', run: 't', copy: 'c2', attempt: 2, dueAt: 5 })
    expect(log.state.live('u')).to.deep.include({ crashes: 1, attempt: 2, dueAt: 5, copy: 'c2' })
  })

  it('lets one of two redeliveries replace the same run', () => {
    const log = new Log()
    log.ask(claim('u'))
    log.ask(start('u', 'r', { tok: 1 }))
    expect(log.status(start('u', 's', { tok: 2, over: 'r' }))).to.equal('started')
    expect(log.ask(start('u', 't', { tok: 2, over: 'r' }))).to.deep.equal({ status: 'busy', run: 's', tok: 2 })
  })

  it('never makes a burned message current; the owner publishes another', () => {
    const log = new Log()
    log.ask(claim('u'))
    log.ask(start('u', 'r'))
    expect(log.status(start('u', 's', { copy: 'c2' }))).to.equal('burned')
    expect(log.status({ type: 'again', uid: 'u', run: 'r', copy: 'c2', attempt: 2 })).to.equal('burned')
    expect(log.status({ type: 'again', uid: 'u', run: 'r', copy: 'c3', attempt: 2 })).to.equal('ok')
    expect(log.status(start('u', 's', { copy: 'c3' }))).to.equal('started')
  })

  it('keeps the error of a dead job until its dead letter is there, and redrives it once', () => {
    const log = new Log()
    log.ask(claim('u'))
    log.ask(start('u', 'r'))
    log.ask({ type: 'dead', uid: 'u', run: 'r', reason: 'attempts', error })
    expect(log.ask(start('u', 's')))
      .to.deep.include({ status: 'gone' })
      .and.to.have.nested.property('fate.error', error)
    expect(log.status(claim('v', { from: { uid: 'u', letter: 'l' } }))).to.equal('missing')
    log.ask({ type: 'buried', uid: 'u', letter: 'l' })
    expect(log.state.fate('u')).not.to.have.property('error')
    expect(log.ask({ type: 'buried', uid: 'u', letter: 'm' })).to.deep.equal({ status: 'other', letter: 'l' })
    expect(log.status(claim('w', { from: { uid: 'u', letter: 'l' } }))).to.equal('accepted')
    expect(log.status(claim('x', { from: { uid: 'u', letter: 'l' } }))).to.equal('missing')
    expect(log.status({ type: 'cleared', uid: 'u' })).to.equal('ok')
    expect(log.state.holders.get('i')?.uid).to.equal('w')
  })

  it('purges what waits, however long, and nothing that runs', () => {
    const log = new Log()
    log.ask(claim('u'))
    log.ask(claim('v', { id: 'j', dueAt: log.at + 9_000 }))
    log.ask(claim('w', { id: 'k' }))
    log.ask(start('w', 'r'))
    expect(log.ask({ type: 'purge' })).to.deep.equal({ status: 'purged', count: 2 })
    expect([...log.state.holders.keys()]).to.deep.equal(['k'])
  })

  it('takes one snapshot at a time, and passes over the parts of others', () => {
    const log = new Log()
    expect(log.status({ type: 'begin' }, { writer: 'a' })).to.equal('ok')
    const of = log.records.length - 1
    expect(log.status({ type: 'begin' }, { writer: 'b' })).to.equal('refused')
    expect(log.status({ type: 'part', of, index: 0, last: true }, { writer: 'b' })).to.equal('refused')
    expect(log.status({ type: 'part', of, index: 1, last: true }, { writer: 'a' })).to.equal('refused')
    expect(log.state.head.snapshot).to.equal(-1)
    log.at += 10_000
    expect(log.status({ type: 'begin' }, { writer: 'b' })).to.equal('ok')
    expect(log.status({ type: 'part', of, index: 0, last: true }, { writer: 'a' })).to.equal('refused')
    expect(log.status({ type: 'part', of: of + 4, index: 0, last: true }, { writer: 'b' })).to.equal('ok')
    expect(log.state.head.snapshot).to.equal(of + 4)
  })

  it('belongs to the epoch that its first message founded', () => {
    const log = new Log()
    expect(log.write([claim('u')], { epoch: 'another' })).to.equal('foreign')
    expect(log.write([{ type: 'open', epoch: 'third', memory: 9 }], { epoch: '', writer: 'late' })).to.deep.equal([
      { status: 'ok' },
    ])
    expect(log.state.head).to.include({ epoch: 'epoch', memory: 1_000 })
  })

  it('lists by state in order of the claims, page by page', async () => {
    const log = new Log()
    for (const [i, id] of ['a', 'b', 'c', 'd', 'e'].entries())
      log.ask(claim(`u${i}`, { id, ...(i === 3 && { dueAt: log.at + 9 }), body: id }))
    log.ask(start('u1', 'r'))
    for (const state of [log.state, await restart(log.state)]) {
      const view = new View(() => state)
      const first = view.list('waiting', { limit: 2 }, log.at)
      expect(first.lives.map(({ body }) => body)).to.deep.equal(['a', 'c'])
      const second = view.list('waiting', { limit: 2, ...(first.cursor !== undefined && { cursor: first.cursor }) }, log.at)
      expect(second.lives.map(({ body }) => body)).to.deep.equal(['e'])
      expect(second.cursor).to.equal(undefined)
      expect(view.list('active', { limit: 9 }).lives.map(({ uid }) => uid)).to.deep.equal(['u1'])
      expect(view.counts(log.at)).to.deep.equal({ waiting: 3, delayed: 1, active: 1, dead: 0 })
      expect(view.counts(log.at + 9)).to.deep.equal({ waiting: 4, delayed: 0, active: 1, dead: 0 })
    }
  })
})
