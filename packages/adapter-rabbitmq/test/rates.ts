import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { openBroker } from '@jobport/brokers'
import { createDriver } from '@jobport/adapter-rabbitmq'
import { Broker } from '@jobport/core'
import { connect } from 'amqplib'

// node packages/adapter-rabbitmq/test/rates.ts [jobs] [rounds]
// Adding and working beside plain amqplib at the same durability (quorum queue, confirmed publishes, manual
// acknowledgement), in rounds that take turns; and how jobs of the ledger fare with 1, 10 and 50 followers of it.

const JOBS = Number(process.argv[2] ?? 10_000)
const ROUNDS = Number(process.argv[3] ?? 3)
const AT_ONCE = 256
const FOLLOWERS = [1, 10, 50]

type Rates = { readonly add: number; readonly work: number }
type Way = 'raw' | 'plain' | 'given' | 'all'

const server = await openBroker('rabbitmq', { own: true })
const model = await connect(server.url, { noDelay: true })
const measured: Record<Way, Rates[]> = { raw: [], plain: [], given: [], all: [] }
for (let round = 0; round < ROUNDS; round++) {
  measured.raw.push(await raw())
  measured.plain.push(await ours(false))
  measured.given.push(await ours(true))
  measured.all.push(await ours(false, '?ledger=all'))
}
console.table(
  Object.entries(measured).map(([way, rates]) => {
    const ratios = (key: keyof Rates): number[] => rates.map((each, i) => each[key] / measured.raw[i]![key])
    return {
      way,
      'adds/s': median(rates.map(({ add }) => add)),
      'of raw': median(ratios('add')).toFixed(2),
      'work/s': median(rates.map(({ work }) => work)),
      'of raw ': median(ratios('work')).toFixed(2),
    }
  }),
)
const crowds = []
for (const followers of FOLLOWERS) crowds.push({ followers, ...(await ours(true, '', followers)) })
console.log('given ids, by followers of the ledger beside the worker:')
console.table(crowds)
await model.close()
await server.close()

async function raw(): Promise<Rates> {
  const queue = nameOf()
  const channel = await model.createConfirmChannel()
  await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
  const publish = (i: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const content = Buffer.from(JSON.stringify(i))
      const confirmed = (error: Error | null): void => (error ? reject(error) : resolve())
      channel.sendToQueue(queue, content, { persistent: true, mandatory: true, type: 'a', messageId: `j${i}` }, confirmed)
    })
  const add = await timed(() => atOnce(publish))
  const { promise, resolve } = Promise.withResolvers<void>()
  let left = JOBS
  await channel.prefetch(AT_ONCE)
  const work = await timed(async () => {
    await channel.consume(queue, (message) => {
      if (!message) return
      JSON.parse(message.content.toString())
      channel.ack(message)
      if (--left === 0) resolve()
    })
    await promise
  })
  await channel.deleteQueue(queue)
  await channel.close()
  return { add, work }
}

async function ours(given: boolean, query = '', followers = 0): Promise<Rates> {
  const name = nameOf()
  const broker = await new Broker(createDriver(server.url + query)).connect()
  const queue = broker.queue(name)
  const crowd = followers > 0 ? await follow(name, followers) : undefined
  await queue.counts()
  const options = (i: number): { id?: string } => (given ? { id: `j${i}` } : {})
  const add = await timed(() => atOnce((i) => queue.add('a', i, options(i))))
  const { promise, resolve } = Promise.withResolvers<void>()
  let left = JOBS
  const work = await timed(async () => {
    const worker = broker.worker(name, () => {}, { concurrency: AT_ONCE })
    worker.on('completed', () => void (--left === 0 && resolve()))
    await promise
    await worker.stop()
  })
  crowd?.kill('SIGKILL')
  await queue.drop()
  await broker.close()
  return { add, work }
}

async function follow(name: string, count: number): Promise<ReturnType<typeof fork>> {
  const crowd = fork(new URL('./follower.ts', import.meta.url), [server.url, name, String(count)])
  await once(crowd, 'message')
  return crowd
}

function nameOf(): string {
  return `rates-${randomBytes(4).toString('hex')}`
}

async function atOnce(work: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < JOBS) await work(next++)
    }),
  )
}

/** Jobs per second. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return Math.round((JOBS / (performance.now() - start)) * 1_000)
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}
