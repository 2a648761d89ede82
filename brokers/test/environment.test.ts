import { expect } from 'chai'
import { openBroker, type RunningBroker } from '@jobport/brokers'
import { clientOf } from './client.ts'
import { rejection } from './rejection.ts'

describe('a broker from the environment', function () {
  this.timeout(60_000)
  const former = process.env['REDIS_URL']
  let running: RunningBroker

  before(async () => {
    running = await openBroker('redis', { ways: ['local'] })
    process.env['REDIS_URL'] = running.url
  })

  after(async () => {
    if (former === undefined) delete process.env['REDIS_URL']
    else process.env['REDIS_URL'] = former
    await running.close()
  })

  it('is preferred to every other', async () => {
    const broker = await openBroker('redis')
    expect(broker).to.include({ url: running.url, way: 'environment', owned: false })
  })

  it('refuses control and says how to get a broker that does not', async () => {
    const broker = await openBroker('redis')
    for (const verb of ['stop', 'start', 'restart', 'kill', 'pause', 'resume'] as const) {
      const { message } = await rejection(broker[verb]())
      expect(message).to.contain('comes from REDIS_URL').and.contain("openBroker('redis', { own: true })")
    }
  })

  it('is left alone when it is closed', async () => {
    const broker = await openBroker('redis')
    await broker.close()
    expect(await clientOf(broker).read()).to.equal(undefined)
  })

  it('is passed over where an own one is asked for', async () => {
    await using broker = await openBroker('redis', { own: true })
    expect(broker.owned).to.equal(true)
    expect(broker.url).not.to.equal(running.url)
  })

  it('is an error if nothing answers there, without its credentials', async () => {
    process.env['REDIS_URL'] = 'redis://me:secret@127.0.0.1:1'
    const { message } = await rejection(openBroker('redis'))
    process.env['REDIS_URL'] = running.url
    expect(message).to.equal('REDIS_URL names 127.0.0.1:1, where nothing accepts connections')
  })

  it('is an error if it is no URL, without repeating it', async () => {
    process.env['REDIS_URL'] = 'me:secret'
    const { message } = await rejection(openBroker('redis'))
    process.env['REDIS_URL'] = running.url
    expect(message).not.to.contain('secret')
  })
})
