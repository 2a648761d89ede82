import { expect } from 'chai'
import { openBroker, type BrokerName, type RunningBroker, type Way } from '@jobport/brokers'
import { isFree } from '../ports.ts'
import { clientOf, type Client } from './client.ts'
import { rejection } from './rejection.ts'

const SETTING: Record<BrokerName, [name: string, value: string]> = {
  redis: ['appendfsync', 'always'],
  postgres: ['max_connections', '42'],
  rabbitmq: ['channel_max', '42'],
}

/** The cases of a broker that is ours, the same for each broker and way. */
export function controlled(name: BrokerName, way: Exclude<Way, 'environment'>): void {
  describe(`${name}, ${way}`, function () {
    this.timeout(60_000)
    let broker: RunningBroker
    let client: Client

    before(async () => {
      const [setting, value] = SETTING[name]
      broker = await openBroker(name, { ways: [way], settings: { [setting]: value } })
      client = clientOf(broker)
      await client.write('kept')
    })

    after(() => broker.close())

    it('answers at its URL, and is ours', async () => {
      expect(await client.read()).to.equal('kept')
      expect(broker).to.include({ name, way, owned: true })
    })

    it('has the settings that it was opened with', async () => {
      const [setting, value] = SETTING[name]
      expect(await client.setting(setting)).to.equal(value)
    })

    it('keeps its data and its port over a restart', async () => {
      await broker.restart()
      expect(await client.read()).to.equal('kept')
    })

    it('refuses connections once stopped, and comes back with its data', async () => {
      await broker.stop()
      await rejection(client.read())
      await broker.stop()
      await broker.start()
      expect(await client.read()).to.equal('kept')
    })

    it('refuses connections once killed, and comes back with its data', async () => {
      await broker.kill()
      await rejection(client.read())
      await broker.start()
      expect(await client.read()).to.equal('kept')
    })

    it('answers nothing while paused, and all once resumed', async () => {
      await broker.pause()
      await rejection(client.read(500))
      await broker.resume()
      expect(await client.read()).to.equal('kept')
    })

    it('can be stopped and killed while paused', async () => {
      for (const end of ['stop', 'kill'] as const) {
        await broker.pause()
        await broker[end]()
        await rejection(client.read())
        await broker.start()
      }
      expect(await client.read()).to.equal('kept')
    })

    it('carries out calls in their order', async () => {
      await Promise.all([broker.kill(), broker.start(), broker.pause(), broker.resume(), broker.stop(), broker.start()])
      expect(await client.read()).to.equal('kept')
    })

    it('says that there is nothing to pause once stopped', async () => {
      await broker.stop()
      expect((await rejection(broker.pause())).message).to.contain('is stopped')
      await broker.start()
    })

    it('ends when it is closed, paused or not, and gives its port back', async () => {
      await broker.pause()
      await Promise.all([broker.close(), broker.close()])
      expect(await isFree(Number(new URL(broker.url).port))).to.equal(true)
      expect((await rejection(broker.start())).message).to.contain('is closed')
    })
  })
}
