import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { openBroker } from '@jobport/brokers'
import { NatsDriver } from '@jobport/adapter-nats'
import { Broker } from '@jobport/core'
import { jetstreamManager, type JetStreamManager, type StoredMsg } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'

// node packages/adapter-nats/test/torture.ts [jobs]
// Workers are killed and frozen at random, the server is killed once, one run in five fails. In the end each job must
// have come to exactly one end: its record as completed, or its dead letter.

const JOBS = Number(process.argv[2] ?? 20_000)
const WORKERS = 4
/** Jobs done between two blows, and how long a frozen worker stays so, ms: longer than its lease. */
const BLOW_EVERY = JOBS / 40
const FREEZE = 2_500
const DEADLINE = 300_000
const NAME = 'torture'
const PAGE = 1_000

const server = await openBroker('nats', { own: true })
const url = `${server.url}?ackWait=1500&keep=3600000`
const broker = new Broker(new NatsDriver(url))
broker.on('error', () => {})
const queue = broker.queue(NAME)
const tally = { kills: 0, freezes: 0, servers: 0 }
const workers: ChildProcess[] = []
const start = performance.now()
let isOver = false

try {
  await addAll()
  const added = performance.now()
  for (let i = 0; i < WORKERS; i++) workers.push(work())
  await torment()
  isOver = true
  const worked = performance.now()
  for (const worker of workers) worker.kill('SIGKILL')
  const ends = await endsOfAll()
  const wrong = Array.from({ length: JOBS }, (_, i) => `job-${i}`).filter((id) => ends.get(id)?.length !== 1)
  const all = [...ends.values()].flat()
  const count = (state: string): number => all.filter((end) => end === state).length
  console.log({ jobs: JOBS, completed: count('c'), dead: count('f'), wrong: wrong.length, ...tally })
  for (const id of wrong.slice(0, 10)) console.log(id, ends.get(id) ?? 'lost')
  console.log(`added ${rate(added - start)}, worked ${rate(worked - added)} jobs/s`)
  process.exitCode = wrong.length === 0 ? 0 : 1
} finally {
  isOver = true
  for (const worker of workers) worker.kill('SIGKILL')
  await broker.close()
  await server.close()
}

async function addAll(): Promise<void> {
  const backoff = { type: 'fixed', delay: 50 } as const
  for (let from = 0; from < JOBS; from += 1_000) {
    const ids = Array.from({ length: Math.min(1_000, JOBS - from) }, (_, i) => `job-${from + i}`)
    await queue.addMany(
      ids.map((id, i) => ({ name: 'a', data: i, options: { id, attempts: 3, ...(i % 2 === 0 && { backoff }) } })),
    )
  }
}

/** Strikes each time that so many jobs are done, until all are. */
async function torment(): Promise<void> {
  let next = JOBS - BLOW_EVERY
  for (const end = performance.now() + DEADLINE; performance.now() < end; ) {
    const counts = await queue.counts().catch(() => undefined)
    if (!counts) continue
    const left = counts.waiting + counts.delayed + counts.active
    if (left === 0) return
    if (left < next) {
      next = left - BLOW_EVERY
      await blow()
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`not done within ${DEADLINE} ms: ${JSON.stringify(await queue.counts())}`)
}

async function blow(): Promise<void> {
  if (tally.servers === 0 && tally.kills + tally.freezes > 12) {
    tally.servers += 1
    await server.kill()
    return server.start()
  }
  const victim = Math.floor(Math.random() * WORKERS)
  const worker = workers[victim]!
  if (Math.random() < 0.35) {
    tally.freezes += 1
    worker.kill('SIGSTOP')
    setTimeout(() => worker.kill('SIGCONT'), FREEZE)
    return
  }
  tally.kills += 1
  const gone = once(worker, 'exit')
  worker.kill('SIGKILL')
  await gone
  workers[victim] = work()
}

function work(): ChildProcess {
  const worker = fork(new URL('./torture-worker.ts', import.meta.url), [url, NAME], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  worker.on('exit', (code) => isOver || code === null || console.error(`a worker ended by itself: ${code}`))
  return worker
}

/** By id: the states of all records that are an end, read by a plain client. */
async function endsOfAll(): Promise<Map<string, string[]>> {
  const connection = await connect({ servers: server.url.replace('nats://', '') })
  const manager = await jetstreamManager(connection)
  const ends = new Map<string, string[]>()
  for (const filter of [`jobport.${NAME}.c.*.*`, `jobport.${NAME}.f.*.*`]) {
    for (let seq = 1, found = PAGE; found === PAGE; ) {
      const records = await pageOf(manager, filter, seq)
      found = records.length
      seq = (records.at(-1)?.seq ?? 0) + 1
      for (const { subject } of records) {
        const [state = '', , id = ''] = subject.split('.').slice(-3)
        ends.set(id, [...(ends.get(id) ?? []), state])
      }
    }
  }
  await connection.close()
  return ends
}

async function pageOf(manager: JetStreamManager, filter: string, seq: number): Promise<StoredMsg[]> {
  const records: StoredMsg[] = []
  const batch = await manager.direct.getBatch(`jobport-${NAME}`, { seq, next_by_subj: filter, batch: PAGE })
  try {
    for await (const record of batch) records.push(record)
  } catch {
    // there are none
  }
  return records
}

function rate(ms: number): string {
  return Math.round((JOBS / ms) * 1_000).toLocaleString('en')
}
