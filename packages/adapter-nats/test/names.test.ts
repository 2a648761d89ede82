import { expect } from 'chai'
import type { Broker } from '@jobport/core'
import { fromToken, Names, toToken } from '../src/names.ts'
import { Trial } from './trial.ts'

const HOSTILE = [
  '*',
  '>',
  '.',
  '..',
  'a.b',
  'a.*',
  '*.a',
  'a.>',
  '$JS',
  '$JS.API.STREAM.DELETE.x',
  '=',
  '=2A',
  '=H',
  '%2A',
  ' ',
  '\t',
  '\r\n',
  '\0',
  'é',
  '😀',
  'a b',
  "'",
]

describe('NATS, names', () => {
  it('gives each text a token of its own, without separators and wildcards, and takes it back', () => {
    const texts = [...HOSTILE, 'plain', 'A', 'a', 'x'.repeat(200), 'é'.repeat(100)]
    for (const text of texts) {
      expect(toToken(text), text).to.match(/^[A-Za-z0-9_=-]+$/)
      expect(fromToken(toToken(text)), text).to.equal(text)
    }
    expect(new Set(texts.map(toToken)).size).to.equal(texts.length)
  })

  it('takes nothing for a token of its own that it would not have made', () => {
    for (const token of ['é', '=2a', '=41', 'a%41', '=Z', '=', '=C3', '*']) expect(fromToken(token), token).to.equal(undefined)
  })

  it('keeps texts of any length apart, within the length of a subject', () => {
    const long = ['x'.repeat(5_000), `${'x'.repeat(4_999)}y`, '*'.repeat(4_000)].map(toToken)
    expect(new Set(long).size).to.equal(3)
    for (const token of long) expect(token.length).to.be.at.most(700)
  })

  it('keeps queues apart that differ by a dot', () => {
    const streams = ['a.b', 'a-b', 'a_b', 'ab', 'a..b'].map((queue) => new Names('jobport', queue).stream)
    expect(new Set(streams).size).to.equal(5)
    for (const stream of streams) expect(stream).to.match(/^[^.*> /\\]+$/)
  })

  describe('on a server', () => {
    let trial: Trial
    let broker: Broker

    beforeEach(async () => {
      trial = new Trial()
      broker = await trial.broker().connect()
    })

    afterEach(() => trial.close())

    it('stores no id as a wildcard, and removes with it nothing but its own job', async () => {
      const queue = broker.queue(trial.name)
      const ids = HOSTILE.filter((id) => !/\p{Cc}/u.test(id))
      await queue.addMany([...ids, 'innocent'].map((id) => ({ name: 'a', data: id, options: { id } })))
      const { manager } = await trial.plain()
      const { state } = await manager.streams.info(trial.stream, { subjects_filter: '>' })
      expect(Object.keys(state.subjects!).filter((subject) => !/^[A-Za-z0-9_.=-]+$/.test(subject))).to.deep.equal([])
      for (const [i, id] of ids.entries()) {
        expect(await queue.get(id), id).to.include({ id, data: id })
        expect(await queue.remove(id), id).to.equal(true)
        expect(await queue.remove(id), id).to.equal(false)
        expect((await queue.counts()).waiting, id).to.equal(ids.length - i)
      }
      expect(await queue.get('innocent')).to.include({ state: 'waiting' })
    })

    it('buries and redrives with such an id nothing but its own job', async () => {
      const queue = broker.queue(trial.name)
      const deaths: string[] = []
      const worker = await trial.worker(broker, () => Promise.reject(new Error('no')), { concurrency: 5 })
      const dead = new Promise<void>((resolve) => worker.on('dead', ({ id }) => deaths.push(id) === 4 && resolve()))
      for (const id of ['*', '>', 'a', 'b']) await queue.add('x', id, { id })
      await dead
      await worker.stop()
      expect(await queue.deadLetters.remove('*')).to.equal(true)
      expect(await queue.deadLetters.remove('*')).to.equal(false)
      expect(await queue.deadLetters.redrive('>')).to.include({ id: '>', added: true })
      expect(await queue.counts()).to.deep.equal({ waiting: 1, delayed: 0, active: 0, dead: 2 })
    })
  })
})
