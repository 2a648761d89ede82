import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { openBroker } from '@jobport/brokers'
import { createDriver } from '@jobport/adapter-rabbitmq'
import { Broker } from '@jobport/core'
import { Client } from './client.ts'
import type { Fate } from '../src/ledger/records.ts'

// node packages/adapter-rabbitmq/test/torture.ts [jobs] [all|given]
// Workers are killed and frozen at random, the broker is killed once, one run in five fails. In the end each job of the
// ledger must have come to exactly one end, and no job may be lost. With `given` every second job is a plain one.

const JOBS = Number(process.argv[2] ?? 20_000)
const LEDGER = process.argv[3] ?? 'all'
const WORKERS = 4
/** Jobs done between two blows, and how long a frozen worker stays so, ms: longer than two heartbeats. */
const BLOW_EVERY = JOBS / 40
const FREEZE = 3_500
const DEADLINE = 400_000
/** From a death to its letter, ms. */
const BURIAL = 20_000
const NAME = 'torture'

const server = await openBroker('rabbitmq', { own: true })
const url = `${server.url}?heartbeat=1000&ledger=${LEDGER}`
const broker = new Broker(createDriver(url))
broker.on('error', () => {})
const queue = broker.queue(NAME)
const tally = { kills: 0, freezes: 0, servers: 0 }
const told = { ran: new Map<string, number>(), completed: new Map<string, number>(), dead: new Map<string, number>() }
const workers: ChildProcess[] = []
const start = performance.now()
let isOver = false

try {
  const uids = await addAll()
  const added = performance.now()
  await pause(2_000) // what is younger does not survive a kill
  for (let i = 0; i < WORKERS; i++) workers.push(work())
  const begun = performance.now()
  await torment()
  const worked = performance.now()
  const wrong = await judge(uids)
  isOver = true
  for (const line of wrong.slice(0, 10)) console.log(line)
  console.log(`added ${rate(added - start)}, worked ${rate(worked - begun)} jobs/s`)
  process.exitCode = wrong.length === 0 ? 0 : 1
} finally {
  isOver = true
  for (const worker of workers) worker.kill('SIGKILL')
  await broker.close()
  await server.close()
}

/** Answers the uids, and which of them the ledger knows. */
async function addAll(): Promise<Map<string, { readonly recorded: boolean }>> {
  const uids = new Map<string, { recorded: boolean }>()
  const backoff = { type: 'fixed', delay: 50 } as const
  for (let from = 0; from < JOBS; from += 1_000) {
    const given = (i: number): boolean => LEDGER === 'all' || i % 2 === 0
    const jobs = Array.from({ length: Math.min(1_000, JOBS - from) }, (_, i) => ({
      name: 'a',
      data: i,
      options: { attempts: 3, ...(given(i) && { id: `job-${from + i}` }), ...(i % 4 < 2 && { backoff }) },
    }))
    const receipts = await queue.addMany(jobs)
    receipts.forEach(({ uid }, i) => uids.set(uid!, { recorded: given(i) }))
  }
  return uids
}

/** Strikes each time that so many jobs are done, until all are. */
async function torment(): Promise<void> {
  let next = JOBS - BLOW_EVERY
  for (const end = performance.now() + DEADLINE; performance.now() < end; await pause(20)) {
    const counts = await queue.counts().catch(() => undefined)
    if (!counts) continue
    const left = counts.waiting + counts.delayed + counts.active
    if (left === 0) return
    if (left < next) {
      next = left - BLOW_EVERY
      await blow()
    }
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
  worker.on('message', ([what, uid]: [keyof typeof told, string]) => told[what].set(uid, (told[what].get(uid) ?? 0) + 1))
  worker.on('exit', (code) => isOver || code === null || console.error(`a worker ended by itself: ${code}`))
  return worker
}

/** What is wrong, in words. */
async function judge(uids: ReadonlyMap<string, { readonly recorded: boolean }>): Promise<string[]> {
  const client = new Client(server.url)
  const ledger = client.ledger(`jobport.${NAME}:ledger`)
  await ledger.start()
  // a job is dead before its letter lies there
  const isBuried = ({ letter }: { readonly letter?: string }): boolean => letter !== undefined
  for (const end = performance.now() + BURIAL; performance.now() < end; await pause(50)) {
    await ledger.sync()
    if ([...ledger.state.dead()].every(isBuried)) break
  }
  const letters = await lettersOf()
  const wrong: string[] = []
  const ends = { completed: 0, dead: 0, plain: 0 }
  for (const [uid, { recorded }] of uids) {
    const [ran, completed, buried] = [told.ran.get(uid) ?? 0, told.completed.get(uid) ?? 0, letters.get(uid) ?? 0]
    const seen = `${uid}: ran ${ran}, told completed ${completed}, letters ${buried}`
    if (!recorded) {
      ends.plain += 1
      if (ran + buried === 0) wrong.push(`lost: ${seen}`)
      continue
    }
    const fate: Fate | undefined = ledger.state.fate(uid)
    const isCompleted = fate?.kind === 'finished' && fate.why === 'ended'
    if (isCompleted) ends.completed += 1
    if (fate?.kind === 'dead') ends.dead += 1
    const isRight = isCompleted
      ? ran >= 1 && completed <= 1 && buried === 0
      : fate?.kind === 'dead' && completed === 0 && buried === 1
    if (!isRight) wrong.push(`${fate?.kind ?? 'unknown to the ledger'} ${JSON.stringify(fate)}: ${seen}`)
  }
  await client.close()
  const doubles = [...told.ran.values()].filter((count) => count > 1).length
  console.log({ jobs: JOBS, ledger: LEDGER, ...ends, letters: letters.size, 'ran twice': doubles, wrong: wrong.length, ...tally })
  return wrong
}

/** How many dead letters each uid has. */
async function lettersOf(): Promise<Map<string, number>> {
  const letters = new Map<string, number>()
  for (let cursor: string | undefined; ; ) {
    const page = await queue.deadLetters.list({ limit: 1_000, ...(cursor !== undefined && { cursor }) })
    for (const { uid } of page.jobs) letters.set(uid, (letters.get(uid) ?? 0) + 1)
    cursor = page.cursor
    if (cursor === undefined) return letters
  }
}

function rate(ms: number): string {
  return Math.round((JOBS / ms) * 1_000).toLocaleString('en')
}
