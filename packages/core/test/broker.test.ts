import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'chai'
import { Broker, type JobportError } from '@jobport/core'
import type { ServerInfo } from '@jobport/core/driver'
import { ScriptedDriver } from './scripted-driver.ts'

describe('closing a broker, on a scripted driver', () => {
  const codeOf = async (work: () => unknown): Promise<unknown> => {
    try {
      return await work()
    } catch (error) {
      return (error as JobportError).code
    }
  }
  const listeners = (): number => process.listenerCount('SIGUSR2')

  it('refuses at once when no worker is left to wait for', async () => {
    const broker = new Broker(new ScriptedDriver())
    const queue = broker.queue('q')
    const end = broker.close()
    for (const call of [
      () => broker.connect(),
      () => broker.queue('q'),
      () => broker.worker('q', () => 1),
      () => queue.add('a', 1),
    ]) {
      expect(await codeOf(call)).to.equal('CLOSED')
    }
    await end
  })

  it('lets running jobs add jobs until the workers have stopped, but takes no new worker', async () => {
    const driver = new ScriptedDriver()
    const broker = new Broker(driver)
    const gate = Promise.withResolvers<void>()
    const worker = broker.worker('q', async () => {
      await gate.promise
      return broker.queue('next').add('b', 1)
    })
    await worker.ready()
    driver.deliver('running')
    await turn()
    const end = broker.close()
    expect(await codeOf(() => broker.worker('q', () => 1))).to.equal('CLOSED')
    gate.resolve()
    expect(await driver.outcomeOf('running')).to.include({ type: 'complete' })
    await end
    expect(await codeOf(() => broker.queue('next'))).to.equal('CLOSED')
  })

  it('answers a connect that is under way with CLOSED', async () => {
    const driver = new ScriptedDriver()
    const opened = Promise.withResolvers<ServerInfo>()
    driver.connect = () => opened.promise
    const broker = new Broker(driver)
    const connecting = codeOf(() => broker.connect())
    await turn()
    await broker.close()
    opened.resolve({ server: 'scripted 1', maxPayload: 1 })
    expect(await connecting).to.equal('CLOSED')
  })

  it('can be closed after a close with a bad option was refused', async () => {
    const broker = new Broker(new ScriptedDriver())
    expect(await codeOf(() => broker.close({ timeout: -1 }))).to.equal('INVALID_ARGUMENT')
    await broker.connect()
    await broker.close()
    expect(await codeOf(() => broker.connect())).to.equal('CLOSED')
  })

  it('counts a stopped worker no longer in its health', async () => {
    const driver = new ScriptedDriver()
    driver.admin = () => ({ status: async () => ({ paused: false, workers: 0 }) }) as never
    const broker = new Broker(driver)
    const worker = broker.worker('q', () => 1)
    await worker.ready()
    expect(await broker.health()).to.deep.include({ ok: true, workers: [{ queue: 'q', consuming: true, running: 0, stuck: 0 }] })
    await worker.stop()
    expect(await broker.health()).to.deep.include({ ok: true, workers: [] })
    await broker.close()
  })

  it('listens to signals only', () => {
    const broker = new Broker(new ScriptedDriver())
    for (const signal of ['SIGFOO', 'sigterm', 15, 'SIGKILL', 'toString']) {
      expect(() => broker.closeOn(signal as 'SIGTERM'))
        .to.throw('names of signals')
        .with.property('code', 'INVALID_ARGUMENT')
    }
  })

  it('shares one listener of a signal among many brokers, and closes them all', async () => {
    const before = listeners()
    const brokers = Array.from({ length: 11 }, () => new Broker(new ScriptedDriver()).closeOn('SIGUSR2', 'SIGUSR2'))
    expect(listeners()).to.equal(before + 1)
    process.emit('SIGUSR2')
    for (const broker of brokers) {
      await broker.close()
      expect(await codeOf(() => broker.connect())).to.equal('CLOSED')
    }
    expect(listeners()).to.equal(before)
  })

  it('lets the first signal pass while it closes already, and listens no more once closed', async () => {
    const driver = new ScriptedDriver()
    const closed = Promise.withResolvers<void>()
    driver.close = () => closed.promise
    const before = listeners()
    const broker = new Broker(driver).closeOn('SIGUSR2')
    await broker.connect()
    expect(listeners()).to.equal(before + 1)
    const end = broker.close()
    process.emit('SIGUSR2')
    expect(listeners(), 'the second would end the process').to.equal(before + 1)
    closed.resolve()
    await end
    expect(listeners()).to.equal(before)
    expect(await codeOf(() => broker.closeOn('SIGUSR2'))).to.equal('CLOSED')
  })
})
