import { once } from 'node:events'
import { openBroker, type RunningBroker } from '@jobport/brokers'
import { FaultProxy, patiently } from '@jobport/conformance'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import { endSilentConnections } from '../src/silence.ts'

describe('BullMQ, a server of Redis that says nothing', function () {
  this.timeout(30_000)
  let redis: RunningBroker
  let proxy: FaultProxy

  before(async () => {
    redis = await openBroker('redis')
    proxy = await FaultProxy.open({ host: '127.0.0.1', port: Number(new URL(redis.url).port) })
  })

  after(async () => {
    await proxy.close()
    await redis.close()
  })

  it('is asked, and its connection ended and made anew; one that answers is left alone', async () => {
    const [silent, talking] = [new Redis({ port: proxy.port }), new Redis(redis.url)]
    try {
      const errors: string[] = []
      for (const client of [silent, talking]) {
        endSilentConnections(client)
        client.on('error', ({ message }: Error) => void errors.push(message))
      }
      await Promise.all([once(silent, 'ready'), once(talking, 'ready')])
      const { stream } = talking
      const before = stream.bytesRead
      proxy.silence()
      const since = performance.now()
      await new Promise((resolve) => silent.once('close', resolve))
      expect(performance.now() - since).to.be.within(13_000, patiently(18_000))
      expect(await silent.ping()).to.equal('PONG')
      expect(errors).to.deep.equal(['the server has said nothing for 15 s'])
      expect(talking.stream, 'the same connection').to.equal(stream)
      expect(stream.bytesRead, 'answers came').to.be.greaterThan(before)
    } finally {
      silent.disconnect()
      talking.disconnect()
    }
  })
})
