// What every run needs, once: a clock and a log that knows its job. And a handler that says itself when it wants to run again.

import { AsyncLocalStorage } from 'node:async_hooks'
import { connect, RetryError, type Middleware } from '@jobport/core'

type ReportJobs = { render: { month: string }; upload: { month: string } }

const running = new AsyncLocalStorage<string>()
const log = (...words: unknown[]): void => console.log(`[${running.getStore()}]`, ...words)

const logged: Middleware = ({ name, id, attempt }, next) => running.run(`${name} ${id} #${attempt}`, next)

const timed: Middleware = async (_job, next) => {
  const start = performance.now()
  try {
    return await next()
  } finally {
    log(`${Math.round(performance.now() - start)} ms`)
  }
}

const broker = await connect(process.argv[2] ?? 'memory://')
const queue = broker.queue<ReportJobs>(`reports-${process.pid}`)
let storageIsBusy = true

const worker = broker.worker<ReportJobs>(
  queue.name,
  {
    render: async ({ data }) => {
      log('rendering', data.month)
      await queue.add('upload', data, { id: `upload:${data.month}` })
    },
    upload: ({ data }) => {
      if (storageIsBusy) {
        storageIsBusy = false
        // 429, Retry-After: later, and not at the cost of an attempt
        throw new RetryError('the storage is busy', { delay: 200, countAttempt: false })
      }
      log('uploaded', data.month)
    },
  },
  { middleware: [logged, timed] },
)

worker.on('failed', ({ id }, error, retryIn) => console.log(`${id}: ${error.message}, again in ${retryIn} ms`))

await queue.add('render', { month: '2026-11' }, { id: 'render:2026-11' })
await new Promise<void>((resolve) => worker.on('completed', ({ name }) => name === 'upload' && resolve()))

await queue.drop()
await broker.close()
