import { setTimeout as pause } from 'node:timers/promises'
import { createDriver } from '@jobport/adapter-rabbitmq'
import { Broker } from '@jobport/core'
import { ManagedBroker } from './management.ts'

// node packages/adapter-rabbitmq/test/delays.ts [jobs] [kill]
// Random delays of 0–10 s while a job with a delay of one hour waits: none may start early. With `kill` the broker is
// killed in the middle, and none may be lost.

const JOBS = Number(process.argv[2] ?? 10_000)
const KILL = process.argv[3] === 'kill'
const LONGEST = 10_000
const HOUR = 3_600_000
const BATCH = 500
/** RabbitMQ sends what it was moving from queue to queue when it was killed again after three minutes, ms. */
const DEADLINE = 240_000
const NAME = 'delays'

const server = await ManagedBroker.open()
const broker = new Broker(createDriver(server.url))
broker.on('error', () => {})
const queue = broker.queue(NAME)
const late = new Map<number, number>()
let repeated = 0

try {
  await queue.add('hour', 0, { delay: HOUR })
  const worker = broker.worker<{ a: { n: number; due: number } }>(
    NAME,
    {
      a: ({ data: { n, due } }) => {
        if (late.has(n)) repeated += 1
        else late.set(n, Date.now() - due)
      },
    },
    { concurrency: 200 },
  )
  worker.on('error', () => {})
  await worker.ready()
  await pause(2_000) // what is younger does not survive a kill

  const start = Date.now()
  const killing = KILL
    ? pause(LONGEST / 2)
        .then(() => server.broker.kill())
        .then(() => server.broker.start())
    : undefined
  for (let from = 0; from < JOBS; from += BATCH) {
    for (let left = Array.from({ length: Math.min(BATCH, JOBS - from) }, (_, i) => from + i); left.length > 0; ) {
      left = await add(left)
    }
  }
  const added = Date.now() - start
  await killing
  for (const end = Date.now() + DEADLINE; late.size < JOBS && Date.now() < end; ) await pause(50)
  const sorted = [...late.values()].toSorted((a, b) => a - b)
  const at = (share: number): number | undefined => sorted[Math.floor(share * (sorted.length - 1))]
  const names = await server.get<{ name: string }[]>('queues/%2F')
  console.log({
    jobs: JOBS,
    lost: JOBS - late.size,
    repeated,
    early: sorted.filter((ms) => ms < 0).length,
    'later than 30 s': sorted.filter((ms) => ms > 30_000).length,
    'lateness p50': at(0.5),
    p99: at(0.99),
    max: at(1),
    'queues on the broker': names.length,
    'adding took, ms': added,
    killed: KILL,
  })
  for (const n of Array.from({ length: JOBS }, (_, i) => i)
    .filter((i) => !late.has(i))
    .slice(0, 5)) {
    console.log('lost', n, JSON.stringify(await queue.get(`d${n}`)))
  }
  if (late.size < JOBS) {
    const depths = await server.get<{ name: string; messages: number }[]>('queues/%2F')
    console.log(depths.filter(({ messages }) => messages > 0).map(({ name, messages }) => `${name}: ${messages}`))
    console.log(await queue.counts())
  }
  process.exitCode = late.size === JOBS && sorted.every((ms) => ms >= 0) ? 0 : 1
} finally {
  await broker.close()
  await server.close()
}

/** Answers those that were not added. */
async function add(numbers: readonly number[]): Promise<number[]> {
  const jobs = numbers.map((n) => {
    const delay = Math.floor(Math.random() * LONGEST)
    return { name: 'a' as const, data: { n, due: Date.now() + delay }, options: { id: `d${n}`, delay } }
  })
  const receipts = await queue.addMany(jobs).catch(async (error: { receipts?: unknown[] }) => {
    await pause(20)
    return error.receipts ?? []
  })
  return numbers.filter((_, i) => receipts[i] === undefined)
}
