import { createDriver } from '@jobport/adapter-rabbitmq'
import { Broker } from '@jobport/core'

/** So many clients that follow a queue's ledger, and do nothing else, until they are killed. */
const [url = '', name = '', count = '1'] = process.argv.slice(2)
const brokers = Array.from({ length: Number(count) }, () => new Broker(createDriver(url)))
for (const broker of brokers) broker.on('error', () => {})
await Promise.all(brokers.map((broker) => broker.queue(name).get('nobody')))
process.send!('ready')
