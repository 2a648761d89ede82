import { BullMQDriver } from '@jobport/adapter-bullmq'

// a worker process that is killed: url, queue
const [url = '', queue = ''] = process.argv.slice(2)
const driver = new BullMQDriver(url)
await driver.connect({ down: () => {}, up: () => {}, error: () => {} })
await driver.consume(queue, () => {}, { prefetch: 1 })
process.send!('consumes')
