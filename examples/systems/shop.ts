// A shop's back office: six queues, each with its own concurrency and its own patience.

import { connect, type Handlers, type JobOptions, type Queue, type Worker, type WorkerOptions } from '@jobport/core'
import { idle } from './idle.ts'

type ShopQueues = {
  email: { confirmation: { to: string } }
  orders: { 'auto-cancel': { orderId: string } }
  'payment-webhooks': { paid: { orderId: string }; failed: { orderId: string } }
  'payment-retries': { capture: { orderId: string } }
  'inventory-release': { release: { orderId: string } }
  'manual-review': { 'high-value': { orderId: string; total: number } }
}

/** A demo's hour is short. */
const HOUR = 1_000
const SECOND = 10

const POLICIES: Record<keyof ShopQueues, { concurrency: number; defaults: JobOptions }> = {
  email: { concurrency: 5, defaults: { attempts: 3, backoff: { type: 'exponential', delay: 2 * SECOND } } },
  orders: { concurrency: 10, defaults: { attempts: 2 } },
  'payment-webhooks': { concurrency: 20, defaults: { attempts: 5, backoff: { type: 'fixed', delay: 5 * SECOND } } },
  'payment-retries': { concurrency: 3, defaults: { attempts: 3 } },
  'inventory-release': { concurrency: 8, defaults: { attempts: 3 } },
  'manual-review': { concurrency: 1, defaults: {} },
}

const broker = await connect(process.argv[2] ?? 'memory://')
const [email, orders, webhooks, retries, releases, reviews] = [
  open('email'),
  open('orders'),
  open('payment-webhooks'),
  open('payment-retries'),
  open('inventory-release'),
  open('manual-review'),
] as const
let bankIsAway = true

function open<Name extends keyof ShopQueues>(name: Name): Queue<ShopQueues[Name]> {
  return broker.queue<ShopQueues[Name]>(`${name}-${process.pid}`, { defaults: POLICIES[name].defaults })
}

function work<Name extends keyof ShopQueues>(
  name: Name,
  handlers: Handlers<ShopQueues[Name]>,
  options: WorkerOptions = {},
): Worker<ShopQueues[Name]> {
  const { concurrency } = POLICIES[name]
  return broker.worker<ShopQueues[Name]>(`${name}-${process.pid}`, handlers, { concurrency, ...options })
}

async function placed(orderId: string, total: number): Promise<void> {
  await email.add('confirmation', { to: `customer of ${orderId}` })
  await orders.add('auto-cancel', { orderId }, { id: `cancel-${orderId}`, delay: HOUR })
  if (total > 50_000) await reviews.add('high-value', { orderId, total })
}

work('email', {
  confirmation: ({ data, attempt }) => {
    if (attempt === 1) throw new Error('the mail server is down')
    console.log(`email: confirmed to the ${data.to}, at attempt ${attempt}`)
  },
})
work('orders', {
  'auto-cancel': async ({ data }) => {
    console.log(`orders: ${data.orderId} is not paid, cancelled`)
    await releases.add('release', data)
  },
})
work('payment-webhooks', {
  paid: async ({ data: { orderId } }) => {
    console.log(`payment-webhooks: ${orderId} is paid, auto-cancellation removed: ${await orders.remove(`cancel-${orderId}`)}`)
  },
  failed: async ({ data }) => void (await retries.add('capture', data, { id: `capture-${data.orderId}` })),
})
work(
  'payment-retries',
  {
    capture: async ({ data: { orderId } }) => {
      if (bankIsAway) throw new Error('the bank does not answer')
      await webhooks.add('paid', { orderId })
    },
  },
  { backoff: (attempt) => attempt * 3 * SECOND },
)
work('inventory-release', { release: ({ data }) => console.log(`inventory-release: what ${data.orderId} had reserved`) })
work('manual-review', { 'high-value': ({ data }) => console.log(`manual-review: ${data.orderId} over ${data.total}`) })

await placed('A-1', 89)
await placed('A-2', 120)
await placed('A-3', 62_000)
// the payment provider sends an event until it is acknowledged, now and then twice
for (const id of ['evt_1', 'evt_1']) await webhooks.add('paid', { orderId: 'A-1' }, { id, dedup: { ttl: 86_400_000 } })
await webhooks.add('failed', { orderId: 'A-3' }, { id: 'evt_2', dedup: { ttl: 86_400_000 } })

await idle(webhooks, retries)
const { jobs } = await retries.deadLetters.list()
for (const { id, attempt, error } of jobs)
  console.log(`payment-retries: ${id} is dead after ${attempt} attempts: ${error?.message}`)
bankIsAway = false
await retries.deadLetters.redriveAll()

const queues = [retries, webhooks, orders, email, releases, reviews]
await idle(...queues)
for (const queue of queues) await queue.drop()
await broker.close()
