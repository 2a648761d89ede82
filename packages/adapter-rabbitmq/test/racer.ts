import { createDriver } from '@jobport/adapter-rabbitmq'
import { patiently } from '@jobport/conformance'
import { Broker } from '@jobport/core'

/** One process of a race: so many connections, which add the same ids when told to. Answers with the uids that were added. */
const [url = '', name = '', connections = '1', ids = '1'] = process.argv.slice(2)
const brokers = Array.from({ length: Number(connections) }, () => new Broker(createDriver(url)))
for (const broker of brokers) broker.on('error', () => {})
await Promise.all(brokers.map((broker) => broker.queue(name).counts()))

process.once('message', () => void race())
process.send!('ready')

async function race(): Promise<void> {
  const deadline = Math.ceil(patiently(45_000))
  const jobs = Array.from({ length: Number(ids) }, (_, i) => ({ name: 'a', data: i, options: { id: `same-${i}` } }))
  const receipts = (await Promise.all(brokers.map((broker) => broker.queue(name).addMany(jobs, { deadline })))).flat()
  process.send!({ added: receipts.filter(({ added }) => added).map(({ id }) => id), answered: receipts.length })
  await Promise.all(brokers.map((broker) => broker.close()))
  process.disconnect()
}
