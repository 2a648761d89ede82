import { expect } from 'chai'
import { VirtualClock } from '@jobport/adapter-memory'
import { closeAll, consumed, EMPTY, HOUR, message, open, raw, refusal, work } from './clients.ts'

describe('memory adapter: time', () => {
  afterEach(closeAll)

  describe('drain', () => {
    it('resolves once no job waits or runs, also those that jobs add', async () => {
      const { driver, broker } = open()
      const ran: unknown[] = []
      const completed: string[] = []
      const queue = broker.queue('q')
      const worker = await work(broker, async ({ data }) => {
        await new Promise(setImmediate)
        ran.push(data)
        if ((data as number) < 5) await queue.add('a', (data as number) + 1)
      })
      worker.on('completed', ({ id }) => completed.push(id))
      await queue.add('a', 1)
      await driver.drain()
      expect(ran).to.deep.equal([1, 2, 3, 4, 5])
      expect(completed, 'events of all of them').to.have.length(5)
    })

    it('resolves at once on an empty store, and leaves what is delayed in real time', async () => {
      const { driver, broker } = open()
      await driver.drain()
      await broker.queue('q').add('a', 1, { delay: HOUR })
      await driver.drain()
      expect(await broker.queue('q').counts()).to.include({ delayed: 1 })
    })

    it('rejects by its deadline, naming the queues that are not done', async () => {
      const { driver, broker } = open()
      await broker.queue('nobody-works').add('a', 1)
      const error = await refusal(driver.drain({ deadline: 30 }), 'TIMEOUT')
      expect(error.message).to.include('nobody-works')
    })

    it('gives timers their turn while jobs follow each other without end', async () => {
      const { driver, broker } = open()
      let over = false
      await work(broker, () => {
        if (!over) throw new Error('again')
      })
      setTimeout(() => (over = true), 20)
      await broker.queue('q').add('a', 1, { attempts: 1_000_000 })
      await driver.drain()
      expect(await broker.queue('q').counts()).to.deep.equal(EMPTY)
    })
  })

  describe('virtual time', () => {
    it('is over at once in drain: hours of delay and of backoff, in order of due time', async () => {
      const clock = new VirtualClock()
      const { driver, broker } = open({ clock })
      const begin = clock.now()
      const starts: [string, number][] = []
      await work(broker, ({ id, attempt }) => {
        starts.push([id, (clock.now() - begin) / HOUR])
        if (id === 'flaky' && attempt < 4) throw new Error('not yet')
      })
      await broker.queue('q').add('a', 1, { id: 'late', delay: 5 * HOUR })
      await broker.queue('q').add('a', 1, { id: 'flaky', attempts: 4, backoff: { type: 'exponential', delay: HOUR } })
      await driver.drain()
      expect(starts).to.deep.equal([
        ['flaky', 0],
        ['flaky', 1],
        ['flaky', 3],
        ['late', 5],
        ['flaky', 7],
      ])
    })

    it('advances by as much as it is told, running what comes due on the way', async () => {
      const clock = new VirtualClock()
      const { driver, broker } = open({ clock })
      const begin = clock.now()
      const ran: string[] = []
      await work(broker, ({ id }) => void ran.push(id))
      for (const [id, hours] of [
        ['two', 2],
        ['one', 1],
        ['three', 3],
      ] as const)
        await broker.queue('q').add('a', 1, { id, delay: hours * HOUR })
      await driver.advance(HOUR - 1)
      expect(ran).to.deep.equal([])
      await driver.advance(1)
      expect(ran).to.deep.equal(['one'])
      await driver.advance(HOUR * 1.5)
      expect(ran).to.deep.equal(['one', 'two'])
      expect(clock.now() - begin).to.equal(2.5 * HOUR)
      expect(await broker.queue('q').counts()).to.include({ delayed: 1 })
    })

    it('rules dedup.ttl', async () => {
      const { driver, broker } = open({ clock: new VirtualClock() })
      await work(broker, () => 1)
      const add = async (): Promise<boolean> => (await broker.queue('q').add('a', 1, { id: 'x', dedup: { ttl: HOUR } })).added
      expect(await add()).to.equal(true)
      await driver.drain()
      await driver.advance(HOUR - 1)
      expect(await add()).to.equal(false)
      await driver.advance(1)
      expect(await add()).to.equal(true)
    })

    it('does not move for a job that was removed', async () => {
      const clock = new VirtualClock()
      const { driver, broker } = open({ clock })
      const begin = clock.now()
      const ran: string[] = []
      await work(broker, ({ id }) => void ran.push(id))
      await broker.queue('q').add('a', 1, { id: 'gone', delay: HOUR })
      await broker.queue('q').remove('gone')
      await driver.drain()
      expect(ran).to.deep.equal([])
      expect(clock.now()).to.equal(begin)
    })
  })

  describe('delays beyond 31 bits of ms', () => {
    const long = 2 ** 31 + 5_000

    it('wait in real time', async () => {
      const driver = await raw()
      await driver.publish('q', [message('far', { delay: long }), message('near', { delay: 20 })])
      const { next, seen } = await consumed(driver, 2)
      expect((await next()).message.id).to.equal('near')
      expect(seen).to.have.length(1)
      expect(await driver.admin('q').counts()).to.include({ delayed: 1 })
    })

    it('end to the ms in virtual time', async () => {
      const { driver, broker } = open({ clock: new VirtualClock() })
      const ran: string[] = []
      await work(broker, ({ id }) => void ran.push(id))
      await broker.queue('q').add('a', 1, { id: 'far', delay: long })
      await driver.advance(long - 1)
      expect(ran).to.deep.equal([])
      await driver.advance(1)
      expect(ran).to.deep.equal(['far'])
    })
  })
})
