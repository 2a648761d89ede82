import { BullMQDriver } from '@jobport/adapter-bullmq'
import { Broker } from '@jobport/core'

/** Works in a process of its own until it is told to close; must then end by itself. */
const [url = '', name = ''] = process.argv.slice(2)
const broker = new Broker(new BullMQDriver(url))
broker.on('error', () => {})
const worker = broker.worker(name, () => new Promise<void>(() => process.send!('working')))
worker.on('error', () => {})
await broker.queue(name).add('a', 1)

process.once('message', () => {
  void broker.close({ timeout: 200 }).then(() => process.send!('closed', () => process.disconnect()))
})
