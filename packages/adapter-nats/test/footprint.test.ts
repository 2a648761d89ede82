import { freePort, openBroker, type RunningBroker } from '@jobport/brokers'
import { expect } from 'chai'
import { eventually, Trial } from './trial.ts'

interface Footprint {
  readonly connections: number
  /** Of these connections. */
  readonly subscriptions: number
  readonly streams: number
  readonly consumers: number
}

describe('NATS, what the server carries', function () {
  this.timeout(30_000)
  let nats: RunningBroker
  let monitor: string
  let trial: Trial

  before(async () => {
    monitor = `127.0.0.1:${await freePort()}`
    nats = await openBroker('nats', { ways: ['local'], settings: { http: monitor } })
  })

  after(() => nats.close())

  beforeEach(() => {
    trial = new Trial(nats.url)
  })

  afterEach(() => trial.close())

  const look = async (): Promise<Footprint> => {
    const { connections } = await ask<{ connections: { subscriptions: number }[] }>('connz')
    const { streams, consumers } = await ask<{ streams: number; consumers: number }>('jsz')
    const subscriptions = connections.reduce((sum, connection) => sum + connection.subscriptions, 0)
    return { connections: connections.length, subscriptions, streams, consumers }
  }

  async function ask<T>(what: string): Promise<T> {
    return (await fetch(`http://${monitor}/${what}`)).json() as Promise<T>
  }

  const becomes = (wanted: Footprint): Promise<unknown> => {
    let found: Footprint | undefined
    const isSo = async (): Promise<boolean> => JSON.stringify((found = await look())) === JSON.stringify(wanted)
    return eventually(JSON.stringify(wanted), isSo, () => found)
  }

  it('is one connection for each broker object, whatever it does; a stream and a consumer for each queue, two subscriptions for each worker', async () => {
    const broker = await trial.broker().connect()
    await becomes({ connections: 1, subscriptions: 1, streams: 0, consumers: 0 })
    const queue = broker.queue(trial.name)
    await queue.add('a', 1)
    await becomes({ connections: 1, subscriptions: 2, streams: 1, consumers: 1 })
    await queue.add('a', 1, { priority: 5 })
    await becomes({ connections: 1, subscriptions: 2, streams: 1, consumers: 2 })
    await queue.purge()
    await queue.list('waiting')
    await becomes({ connections: 1, subscriptions: 2, streams: 1, consumers: 2 })
    const second = broker.queue(`${trial.name}.2`)
    try {
      await second.add('a', 1)
      await becomes({ connections: 1, subscriptions: 2, streams: 2, consumers: 3 })
      for (let i = 0; i < 10; i++) await trial.worker(broker, () => {}, { concurrency: 20 })
      // one for who asks which workers there are, and one for the request for jobs that waits
      await becomes({ connections: 1, subscriptions: 2 + 2 * 10, streams: 2, consumers: 3 })
      await trial.broker().connect()
      await becomes({ connections: 2, subscriptions: 2 + 2 * 10 + 1, streams: 2, consumers: 3 })
    } finally {
      await second.drop()
    }
    expect((await look()).streams).to.equal(1)
  })
})
