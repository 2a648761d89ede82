import { randomBytes } from 'node:crypto'
import { NatsDriver } from '@jobport/adapter-nats'
import { Broker } from '@jobport/core'
import { AckPolicy, jetstream, jetstreamManager, RetentionPolicy } from '@nats-io/jetstream'
import { connect, headers } from '@nats-io/transport-node'

// node packages/adapter-nats/test/rates.ts nats://127.0.0.1:4222
// Adding and working beside a raw program of the same client, in rounds that take turns; and how late delayed jobs start.

const SERVERS = (process.argv[2] ?? 'nats://127.0.0.1:4222').replace('nats://', '')
const JOBS = 10_000
const ROUNDS = 3
const AT_ONCE = 256
const LONGEST_DELAY = 10_000

const connection = await connect({ servers: SERVERS })
const manager = await jetstreamManager(connection)
const broker = await new Broker(new NatsDriver(`nats://${SERVERS}`)).connect()
const name = `rates-${randomBytes(4).toString('hex')}`

const rounds = []
for (let round = 0; round < ROUNDS; round++) rounds.push({ raw: await raw(), ours: await ours() })
console.table(
  rounds.map(({ raw: theirs, ours: own }) => ({
    'raw adds/s': theirs.add,
    'our adds/s': own.add,
    ratio: (own.add / theirs.add).toFixed(2),
    'raw work/s': theirs.work,
    'our work/s': own.work,
    'ratio ': (own.work / theirs.work).toFixed(2),
  })),
)
console.log('lateness of 10,000 random delays of 0–10 s, ms:', await lateness())
await broker.close()
await connection.close()

/** One conditional publish an add; one conditional publish and an acknowledgement a job. */
async function raw(): Promise<{ add: number; work: number }> {
  const stream = `${name}-raw`
  await manager.streams.add({
    name: stream,
    subjects: [`${stream}.>`],
    retention: RetentionPolicy.Workqueue,
    allow_msg_ttl: true,
  })
  await manager.consumers.add(stream, {
    durable_name: 'w',
    ack_policy: AckPolicy.Explicit,
    filter_subject: `${stream}.w.*`,
    max_ack_pending: -1,
  })
  const write = async (state: string, id: string, expected: number, data: string): Promise<void> => {
    const conditions = headers()
    conditions.set('Nats-Expected-Last-Subject-Sequence', String(expected))
    conditions.set('Nats-Expected-Last-Subject-Sequence-Subject', `${stream}.*.${id}`)
    if (state === 'c') conditions.set('Nats-TTL', '60s')
    await connection.request(`${stream}.${state}.${id}`, data, { timeout: 10_000, headers: conditions })
  }
  const add = await timed(() => atOnce(JOBS, (i) => write('w', `j${i}`, 0, JSON.stringify({ name: 'a', data: i }))))
  const consumer = await jetstream(connection).consumers.get(stream, 'w')
  const messages = await consumer.consume({ max_messages: AT_ONCE })
  const work = await timed(async () => {
    const done: Promise<unknown>[] = []
    for await (const message of messages) {
      const id = message.subject.split('.').at(-1)!
      done.push(write('c', id, message.seq, 'null').then(() => message.ackAck()))
      if (done.length === JOBS) break
    }
    await Promise.all(done)
  })
  await manager.streams.delete(stream)
  return { add, work }
}

async function ours(): Promise<{ add: number; work: number }> {
  const queue = broker.queue(name)
  const jobs = Array.from({ length: JOBS }, (_, i) => ({ name: 'a', data: i, options: { id: `j${i}` } }))
  const add = await timed(() => queue.addMany(jobs))
  const { promise, resolve } = Promise.withResolvers<void>()
  let left = JOBS
  const work = await timed(async () => {
    const worker = broker.worker(name, () => {}, { concurrency: AT_ONCE })
    worker.on('completed', () => void (--left === 0 && resolve()))
    await promise
    await worker.stop()
  })
  await queue.drop()
  return { add, work }
}

async function lateness(): Promise<object> {
  const queue = broker.queue(name)
  const late: number[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  const worker = broker.worker<Record<string, number>>(
    name,
    { a: ({ data }) => void (late.push(Date.now() - data) === JOBS && resolve()) },
    { concurrency: AT_ONCE },
  )
  for (let from = 0; from < JOBS; from += 1_000) {
    const jobs = Array.from({ length: 1_000 }, () => {
      const at = new Date(Date.now() + Math.random() * LONGEST_DELAY)
      return { name: 'a' as const, data: at.getTime(), options: { at } }
    })
    await queue.addMany(jobs)
  }
  await promise
  await worker.stop()
  await queue.drop()
  const sorted = late.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.floor(share * (JOBS - 1))]!
  return { early: sorted.filter((ms) => ms < 0).length, p50: at(0.5), p99: at(0.99), max: at(1) }
}

async function atOnce(count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < count) await work(next++)
    }),
  )
}

/** Jobs per second. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return Math.round((JOBS / (performance.now() - start)) * 1_000)
}
