// A checkout under load: the API only adds jobs, and as many worker processes as it takes work them.
// Where a broker is shared between processes this starts two; on memory the workers run beside the API.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type Broker } from '@jobport/core'
import { idle } from './idle.ts'

type PaymentJobs = { charge: { orderId: number } }
type NotificationJobs = { email: { orderId: number }; sms: { orderId: number } }

const [url = 'memory://', role = 'api', run = String(process.pid)] = process.argv.slice(2)
const names = { payments: `payments-${run}`, notifications: `notifications-${run}` }

const broker = await connect(url)
broker.closeOn('SIGTERM', 'SIGINT')
if (role === 'worker') work(broker)
else await serve(broker)

function work(broker: Broker): void {
  const notifications = broker.queue<NotificationJobs>(names.notifications)
  const charge = async ({ data }: { data: PaymentJobs['charge'] }): Promise<void> => {
    await sleep(20)
    await notifications.addMany([
      { name: 'email', data },
      { name: 'sms', data },
    ])
  }
  broker.worker<PaymentJobs>(names.payments, { charge }, { concurrency: 10 })
  broker.worker<NotificationJobs>(names.notifications, () => sleep(5), { concurrency: 10 })
}

async function serve(broker: Broker): Promise<void> {
  const payments = broker.queue<PaymentJobs>(names.payments, { defaults: { attempts: 3 } })
  const notifications = broker.queue<NotificationJobs>(names.notifications)
  const { features } = await broker.driver()
  const children = features.durable ? [startWorker(), startWorker()] : []
  if (children.length === 0) work(broker)

  const start = performance.now()
  await payments.addMany(Array.from({ length: 300 }, (_, orderId) => ({ name: 'charge', data: { orderId } })))
  console.log(`300 checkouts answered after ${Math.round(performance.now() - start)} ms`)
  await idle(payments, notifications)
  console.log(`300 payments and 600 notifications worked after ${Math.round(performance.now() - start)} ms`)

  for (const child of children) child.kill('SIGTERM')
  for (const child of children) console.log(`worker process ended with code ${await exitOf(child)}`)
  await payments.drop()
  await notifications.drop()
  await broker.close()
}

function startWorker(): ChildProcess {
  return spawn(process.execPath, [import.meta.filename, url, 'worker', run], { stdio: 'inherit' })
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.exitCode
}
