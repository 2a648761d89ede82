// Five hundred orders through one queue:  npm start  or, on a real broker:  npm start -- redis://127.0.0.1:6379

import { randomUUID } from 'node:crypto'
import { connect, type Broker, type JobView, type Queue, type Worker } from '@jobport/core'
import { jobsOf, type OrderJobs } from './jobs.ts'
import { Ledger } from './ledger.ts'
import { readOrders } from './orders.ts'
import { showProgress, type Progress } from './progress.ts'
import { count, report } from './report.ts'
import { Shop, type Version } from './shop.ts'

const WORKERS = 3
const CONCURRENCY = 10
const LONGEST_RUN = 120_000

interface Demo {
  readonly broker: Broker
  readonly queue: Queue<OrderJobs>
  readonly shop: Shop
  readonly ledger: Ledger
  readonly progress: Progress
}

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())

try {
  const [url = 'memory://'] = process.argv.slice(2)
  process.exitCode = await main(url)
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}

async function main(url: string): Promise<number> {
  const broker = await connect(url)
  broker.closeOn('SIGINT', 'SIGTERM')
  try {
    return await run(broker, url)
  } finally {
    await broker.close()
  }
}

/** Answers the exit code. The queue is this run's own, and dropped at the end. */
async function run(broker: Broker, url: string): Promise<number> {
  const queue = broker.queue<OrderJobs>(`orders-${randomUUID()}`, {
    defaults: { attempts: 3, backoff: { type: 'exponential', delay: 200 }, priority: 5 },
  })
  const ledger = new Ledger()
  const shop = new Shop(queue, ledger)
  const progress = showProgress(ledger)
  const start = performance.now()
  const trouble = await story({ broker, queue, shop, ledger, progress }).catch((error: Error) => error.message)
  const seconds = (performance.now() - start) / 1_000
  progress.stop()
  if (interrupted.signal.aborted) return stopEarly(broker, url, queue.name)

  const letters = await deadLetters(queue)
  const word = { counts: await queue.counts(), dead: letters.map(({ uid }) => uid) }
  const mistakes = [...(trouble ? [trouble] : []), ...ledger.mistakes(word), ...shop.mistakes(ledger.row('pay').accepted)]
  const { server = '' } = await broker.health()
  report({ ledger, shop, word, mistakes, seconds, server })
  await queue.drop()
  return mistakes.length === 0 ? 0 : 1
}

async function story(demo: Demo): Promise<void> {
  const { queue, ledger, progress } = demo
  const signal = AbortSignal.any([interrupted.signal, AbortSignal.timeout(LONGEST_RUN)])

  const orders = await readOrders()
  const jobs = orders.flatMap(jobsOf)
  const receipts = await queue.addMany(jobs)
  jobs.forEach(({ name }, index) => ledger.added(name, receipts[index]!))
  progress.say(
    `${orders.length} orders read: ${count(ledger.total().accepted)} jobs added, ${ledger.duplicates} refused as duplicates.`,
  )

  const start = performance.now()
  const workers = startWorkers(demo, '1.0')
  await ledger.settled(signal, 'pay', 'invoice')
  progress.say(`Payments are through. A bug sent all ${ledger.row('invoice').dead} invoices to the dead letters.`)

  await Promise.all(workers.map((worker) => worker.stop()))
  startWorkers(demo, '1.1')
  await redriveInvoices(demo)
  await ledger.settled(signal, 'confirm', 'invoice')
  const { accepted, live } = ledger.total()
  const rate = count((accepted - live) / ((performance.now() - start) / 1_000))
  progress.say(`The fix is deployed, the invoices are redriven. So far ${rate} jobs a second.`)

  progress.say(`${ledger.row('auto-cancel').live} orders are not paid and will be cancelled when their time is up.`)
  await ledger.settled(signal)
}

function startWorkers({ broker, queue, shop, ledger }: Demo, version: Version): Worker<OrderJobs>[] {
  return Array.from({ length: WORKERS }, () => {
    const worker = broker.worker<OrderJobs>(queue.name, shop.handlers(version), { concurrency: CONCURRENCY })
    return ledger.watch(worker)
  })
}

async function redriveInvoices({ queue, ledger }: Demo): Promise<void> {
  const dead = await deadLetters(queue)
  for (const { id, uid, name } of dead.filter(({ name }) => name === 'invoice')) {
    ledger.redrove(uid, name, await queue.deadLetters.redrive(id))
  }
}

async function deadLetters(queue: Queue<OrderJobs>): Promise<JobView[]> {
  const letters: JobView[] = []
  let cursor: string | undefined
  do {
    const page = await queue.deadLetters.list({ cursor })
    letters.push(...page.jobs)
    cursor = page.cursor
  } while (cursor !== undefined)
  return letters
}

/** A real program would leave what waits to the next one that starts. */
async function stopEarly(broker: Broker, url: string, name: string): Promise<number> {
  await broker.close()
  const keeper = await connect(url)
  await keeper.queue(name).drop()
  await keeper.close()
  console.log('Stopped early: the running jobs have finished, the others are dropped with the queue.')
  return 130
}
