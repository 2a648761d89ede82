import { once } from 'node:events'
import { AsyncLocalStorage } from 'node:async_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'chai'
import { Broker, Queue, Worker } from '@jobport/core'
import { ScriptedDriver } from './scripted-driver.ts'

describe('events', () => {
  let driver: ScriptedDriver
  let broker: Broker

  beforeEach(() => {
    driver = new ScriptedDriver()
    broker = new Broker(driver)
  })

  afterEach(async () => {
    await broker.close({ timeout: 100 })
  })

  it('of no known name throw, however one listens', () => {
    const worker = broker.worker('q', () => 1)
    for (const listen of ['on', 'once', 'addListener', 'prependListener', 'prependOnceListener'] as const) {
      for (const name of ['drained', 'progress', 'closed', 'complete']) {
        expect(() => worker[listen](name as 'active', () => {}))
          .to.throw(`there is no event '${name}'; known: active, completed, failed, dead, stalled, error`)
          .with.property('code', 'INVALID_ARGUMENT')
      }
    }
    expect(() => broker.on('ready' as 'up', () => {})).to.throw("there is no event 'ready'; known: down, up, error")
  })

  it('stay known when all listeners are removed', () => {
    const worker = broker.worker('q', () => 1)
    worker.on('active', () => {})
    worker.removeAllListeners('active').removeAllListeners()
    expect(worker.listenerCount('active')).to.equal(0)
    expect(() => worker.on('drained' as 'active', () => {})).to.throw('there is no event')
  })

  it('are heard once by once, and by events.once', async () => {
    const worker = broker.worker('q', () => 'done')
    const heard: string[] = []
    worker.once('completed', (job) => heard.push(job.uid))
    await worker.ready()
    const completed = once(worker, 'completed')
    driver.deliver('a')
    driver.deliver('b')
    expect(await completed).to.have.nested.property('[0].uid', 'a')
    await driver.outcomeOf('b')
    await turn()
    expect(heard).to.deep.equal(['a'])
    expect(worker.listenerCount('completed')).to.equal(0)
  })

  it('hear of a hostile error without harm, and warn when nobody listens', async () => {
    const worker = broker.worker('q', () => {
      throw Object.defineProperty(new Error('m'), 'message', {
        get: () => {
          throw new Error('hidden')
        },
      })
    })
    await worker.ready()
    worker.on('failed', () => {
      throw Object.assign(new Error('m'), { name: Symbol('s') })
    })
    const warned = once(process, 'warning')
    driver.deliver('a')
    expect(await driver.outcomeOf('a')).to.include({ type: 'dead' })
    expect(await warned).to.have.nested.property('[0].name', 'JobportWarning')
  })

  it('and handlers see the async context in which the worker was made', async () => {
    const storage = new AsyncLocalStorage<string>()
    const seen: unknown[] = []
    const worker = storage.run('maker', () => broker.worker('q', () => void seen.push(storage.getStore())))
    worker.on('completed', () => seen.push(storage.getStore()))
    await worker.ready()
    storage.run('deliverer', () => driver.deliver('a'))
    await driver.outcomeOf('a')
    await turn()
    expect(seen).to.deep.equal(['maker', 'maker'])
  })

  it('end with the block, by await using', async () => {
    const closed: string[] = []
    driver.close = async () => void closed.push('driver')
    {
      await using used = broker
      await using worker = used.worker('q', () => 1)
      await worker.ready()
    }
    expect(closed).to.deep.equal(['driver'])
    expect(driver.consuming).to.equal(false)
  })

  it('come from what a broker makes: a foreign connection is refused', () => {
    for (const make of [
      () => new Queue('q', { connection: { host: 'localhost' } } as never, 1),
      () => new Worker('q', () => 1, { connection: {} } as never),
    ]) {
      expect(make).to.throw('made by its broker').with.property('code', 'INVALID_ARGUMENT')
    }
  })
})
