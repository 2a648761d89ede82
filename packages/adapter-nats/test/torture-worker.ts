import { NatsDriver } from '@jobport/adapter-nats'
import { Broker } from '@jobport/core'

/** Works until it is killed; one run in five fails. */
const [url = '', name = ''] = process.argv.slice(2)
const broker = new Broker(new NatsDriver(url))
broker.on('error', () => {})
const worker = broker.worker(
  name,
  () => {
    if (Math.random() < 0.2) throw new Error('one in five')
  },
  { concurrency: 20, crashLimit: 50 },
)
worker.on('error', () => {})
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
process.channel?.unref()
