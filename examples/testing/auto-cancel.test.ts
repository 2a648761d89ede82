import { MemoryDriver, VirtualClock } from '@jobport/adapter-memory'
import { Broker } from '@jobport/core'
import { expect } from 'chai'
import { AutoCancel, HOUR } from './auto-cancel.ts'

// Your own code on the memory adapter: real queues and workers, no broker to start, and an hour is over at once.

describe('AutoCancel', () => {
  let driver: MemoryDriver
  let broker: Broker
  let autoCancel: AutoCancel

  beforeEach(() => {
    driver = new MemoryDriver({ clock: new VirtualClock() })
    broker = new Broker(driver)
    autoCancel = new AutoCancel(broker)
  })

  afterEach(() => broker.close())

  it('cancels an order after an hour, not before', async () => {
    await autoCancel.ordered('42')
    await driver.advance(HOUR - 1)
    expect(autoCancel.cancelled).to.deep.equal([])
    await driver.advance(1)
    expect(autoCancel.cancelled).to.deep.equal(['42'])
  })

  it('spares an order that is paid', async () => {
    await autoCancel.ordered('42')
    await autoCancel.ordered('43')
    expect(await autoCancel.paid('42')).to.equal(true)
    await driver.drain()
    expect(autoCancel.cancelled).to.deep.equal(['43'])
  })

  it('says that a payment came too late', async () => {
    await autoCancel.ordered('42')
    await driver.drain()
    expect(await autoCancel.paid('42')).to.equal(false)
  })
})
