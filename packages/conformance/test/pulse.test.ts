import { connect, type Broker, type Queue } from '@jobport/core'
import { expect } from 'chai'
import { setTimeout as pause } from 'node:timers/promises'
import { Pulse } from '../src/pulse.ts'
import { until } from '../src/wait.ts'

const PACE = 5

describe('a pulse', () => {
  let broker: Broker
  let adds: number

  /** Counts what is added. */
  const counted = (): Queue => {
    const queue = broker.queue('pulse')
    const add: Queue['add'] = (...given: Parameters<Queue['add']>) => {
      adds++
      return queue.add(...given)
    }
    return Object.assign(Object.create(queue) as Queue, { add })
  }

  beforeEach(async () => {
    broker = await connect('memory://pulse')
    adds = 0
  })

  afterEach(() => broker.close())

  const beats = (count: number): Promise<void> =>
    until(
      () => adds >= count,
      'beats',
      () => adds,
      5_000,
    )

  it('ends by itself once its broker is closed', async () => {
    const pulse = new Pulse(counted(), { pace: PACE })
    await beats(3)
    await broker.close()
    await beats(adds + 1)
    const last = adds
    await pause(20 * PACE)
    expect(adds).to.equal(last)
    await pulse.stop()
  })

  it('is late where its process got no time, and only there', async () => {
    const pulse = new Pulse(counted(), { pace: PACE, late: 200 })
    await beats(3)
    const from = Date.now()
    while (Date.now() < from + 400) Math.random()
    const end = Date.now()
    await beats(adds + 2)
    await pulse.stop()
    expect(pulse.wasLate(from + 250, end)).to.equal(true)
    expect(pulse.wasLate(0, from - 100)).to.equal(false)
  })
})
