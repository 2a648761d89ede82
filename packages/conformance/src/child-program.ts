import { Broker, type Job, type JobportError } from '@jobport/core'
import { pause } from './wait.ts'
import type { Driver } from '@jobport/core/driver'
import type { ChildTask, Mixed, Order, Report } from './child.ts'

/**
 * Runs in a process of its own, see `child.ts`. A job named `die` kills it, `hold` runs until it is aborted, `wait` for `data`
 * ms, `block` keeps the event loop from turning for as long, `mixed` fails as often as its data say.
 */
const TICK = 100
const STARVING = 500

const task = JSON.parse(process.argv[2]!) as ChildTask
const { createDriver } = (await import(task.module)) as { createDriver(url: string): Driver }
const broker = new Broker(createDriver(task.url))
broker.on('error', complain)
broker.closeOn('SIGTERM')
process.once('SIGTERM', () => tell({ type: 'signalled' }))

/** Runs that are over and not settled yet, by uid. */
const ending = new Set<string>()
/** Reports that are on their way. */
const telling = new Set<Report>()

watchClock()
if (task.role === 'worker') await work()
else await produce()
tell({ type: 'ready' })

process.on('message', (order: Order | 'close') => void (order === 'close' ? close() : add(order)))
const orphaned = (): boolean => process.kill(process.pid, 'SIGKILL')
process.on('disconnect', orphaned)
// the broker keeps the process, its parent does not
process.channel!.unref()

/** Tells when its own timers come so late that leases could have run out. */
function watchClock(): void {
  let last = Date.now()
  setInterval(() => {
    const at = Date.now()
    const ms = at - last - TICK
    last = at
    if (ms > STARVING) tell({ type: 'starved', ms, at })
  }, TICK).unref()
}

async function work(): Promise<void> {
  const { concurrency = 1, crashLimit = 3 } = task
  const worker = broker.worker(
    task.queue,
    {
      ok: () => 1,
      die,
      wait: async ({ uid, data }) => {
        await pause(data as number)
        ending.add(uid)
      },
      block: ({ data }) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, data as number),
      mixed: async ({ data, attempt }) => {
        const { fails, ms } = data as Mixed
        await pause(ms)
        if (attempt <= fails) throw new Error(`run ${attempt} of ${fails} that fail`)
      },
      hold: async (_job, signal) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        tell({ type: 'aborted', code: (signal.reason as JobportError).code })
      },
    },
    { concurrency, crashLimit },
  )
  const say = (
    type: 'active' | 'completed' | 'failed' | 'stalled' | 'dead',
    { id, uid, attempt, crashes }: Job,
    reason = '',
  ): void => tell({ type, id, uid, attempt, crashes, reason, at: Date.now() })
  worker.on('active', (job) => say('active', job))
  worker.on('completed', (job) => {
    ending.delete(job.uid)
    say('completed', job)
  })
  worker.on('failed', (job, _error, retryIn) => void (retryIn !== null && say('failed', job)))
  worker.on('stalled', (job) => say('stalled', job))
  worker.on('dead', (job, _error, reason) => say('dead', job, reason))
  worker.on('error', complain)
  await worker.ready()
}

/** Not while the end of another run is stored or told: nobody could say then what became of that job. */
async function die(): Promise<void> {
  while (ending.size > 0 || telling.size > 0) await pause(1)
  process.kill(process.pid, 'SIGKILL')
}

function complain(error: Error): void {
  const { code, id } = error as Partial<JobportError>
  const { message } = error
  tell({ type: 'error', message, ...(code !== undefined && { code }), ...(id !== undefined && { id }), at: Date.now() })
}

async function produce(): Promise<void> {
  await broker.connect()
  await broker.queue(task.queue).counts()
}

async function add({ name, data, options }: Order): Promise<void> {
  try {
    tell({ type: 'added', receipt: await broker.queue(task.queue).add(name, data, options) })
  } catch (error) {
    const { code, message } = error as JobportError
    tell({ type: 'refused', code, message })
  }
}

async function close(): Promise<void> {
  await broker.close({ timeout: 0 })
}

function tell(report: Report): void {
  if (!process.connected) return
  telling.add(report)
  process.send!(report, () => void telling.delete(report))
}
