import { fork } from 'node:child_process'
import { once } from 'node:events'
import { openBroker } from '@jobport/brokers'
import { createDriver } from '@jobport/adapter-rabbitmq'
import { Broker } from '@jobport/core'

// node packages/adapter-rabbitmq/test/cold-start.ts [jobs] [starts]
// How long a process that has just begun takes until it knows so many live jobs: connecting, loading the ledger, catching up.

const JOBS = Number(process.argv[2] ?? 100_000)
const STARTS = Number(process.argv[3] ?? 5)
const BATCH = 1_000
const NAME = 'cold'

if (process.send) await starter(process.argv[4]!)
else await main()

async function main(): Promise<void> {
  const server = await openBroker('rabbitmq', { own: true })
  const broker = new Broker(createDriver(server.url))
  const queue = broker.queue(NAME)
  try {
    for (let from = 0; from < JOBS; from += BATCH)
      await queue.addMany(
        Array.from({ length: BATCH }, (_, i) => ({ name: 'a', data: { order: from + i }, options: { id: `id-${from + i}` } })),
      )
    const times: object[] = []
    for (let i = 0; i < STARTS; i++) {
      const child = fork(import.meta.filename, [String(JOBS), '0', server.url])
      const [told] = (await once(child, 'message')) as [object]
      times.push(told)
      await once(child, 'exit')
    }
    console.table(times)
  } finally {
    await broker.close()
    await server.close()
  }
}

async function starter(url: string): Promise<void> {
  const start = performance.now()
  const broker = new Broker(createDriver(url))
  const last = await broker.queue(NAME).get(`id-${JOBS - 1}`)
  const took = Math.round(performance.now() - start)
  const { user, system } = process.cpuUsage()
  process.send!({ 'ms to the first answer': took, 'CPU ms of the process': Math.round((user + system) / 1_000), found: last?.id })
  await broker.close()
  process.disconnect()
}
