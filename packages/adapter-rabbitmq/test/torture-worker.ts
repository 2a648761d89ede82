import { createDriver } from '@jobport/adapter-rabbitmq'
import { Broker } from '@jobport/core'

/** Works until it is killed; one run in five fails. Says which runs succeeded before they are settled, and what core told. */
const [url = '', name = ''] = process.argv.slice(2)
const broker = new Broker(createDriver(url))
broker.on('error', () => {})
const worker = broker.worker(
  name,
  ({ uid }) => {
    if (Math.random() < 0.2) throw new Error('one in five')
    process.send!(['ran', uid])
  },
  { concurrency: 20, crashLimit: 50 },
)
worker.on('error', () => {})
worker.on('completed', ({ uid }) => process.send!(['completed', uid]))
worker.on('dead', ({ uid }) => process.send!(['dead', uid]))
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
process.channel?.unref()
