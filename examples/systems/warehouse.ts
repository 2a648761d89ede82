// A warehouse: stock changes and the jobs they cause are written in one transaction, to an outbox that is forwarded.

import { connect, UnrecoverableError, type NewJob } from '@jobport/core'
import { idle } from './idle.ts'

type WarehouseJobs = {
  'offline-sync': { movements: { sku: string; by: number }[] }
  'summary-recalc': { sku: string }
  'low-stock-alert': { sku: string; left: number }
  'email-sender': { to: string; subject: string }
}

interface OutboxEntry {
  readonly id: number
  readonly job: NewJob<WarehouseJobs>
  status: 'pending' | 'forwarded'
}

const THRESHOLD = 5
const DAY = 86_400_000

const stock = new Map([
  ['TEA-EARL', 40],
  ['POT-IRON', 9],
])
const outbox: OutboxEntry[] = []
const mails: string[] = []

const broker = await connect(process.argv[2] ?? 'memory://')
const queue = broker.queue<WarehouseJobs>(`warehouse-${process.pid}`, {
  defaults: { attempts: 4, backoff: { type: 'exponential', delay: 50 } },
})

/** What a database would do in one transaction. */
function move(sku: string, by: number): void {
  stock.set(sku, (stock.get(sku) ?? 0) + by)
  outbox.push({ id: outbox.length + 1, job: { name: 'summary-recalc', data: { sku } }, status: 'pending' })
}

/** May be killed anywhere and started again: the id makes a second forwarding harmless. */
async function forward({ killedBeforeItIsNoted = false } = {}): Promise<void> {
  const pending = outbox.filter(({ status }) => status === 'pending')
  const receipts = await queue.addMany(
    pending.map(({ id, job }) => ({ ...job, options: { id: `outbox:${id}`, dedup: { ttl: DAY } } })),
  )
  const added = receipts.filter((receipt) => receipt.added).length
  console.log(`forwarded ${added}, there already ${receipts.length - added}`)
  if (!killedBeforeItIsNoted) for (const entry of pending) entry.status = 'forwarded'
}

broker.worker<WarehouseJobs>(
  queue.name,
  {
    'offline-sync': async ({ data }) => {
      for (const { sku, by } of data.movements) move(sku, by)
      await forward()
    },
    'summary-recalc': async ({ data: { sku } }) => {
      const left = stock.get(sku)
      if (left === undefined) throw new UnrecoverableError(`no product ${sku}`)
      if (left < THRESHOLD) await queue.add('low-stock-alert', { sku, left }, { id: `low:${sku}`, dedup: { ttl: DAY } })
    },
    'low-stock-alert': async ({ data: { sku, left } }) => {
      await queue.add('email-sender', { to: 'buyer@example.com', subject: `only ${left} of ${sku} left` }, { priority: 1 })
    },
    'email-sender': ({ data, attempt }) => {
      if (attempt < 3) throw new Error('the mail server is down')
      mails.push(`${data.to}: ${data.subject}`)
    },
  },
  { concurrency: 4 },
)

move('TEA-EARL', -3)
move('POT-IRON', -2)
await forward({ killedBeforeItIsNoted: true })
await forward()
await queue.add('offline-sync', {
  movements: [
    { sku: 'POT-IRON', by: -4 },
    { sku: 'POT-IRON', by: -1 },
    { sku: 'TEA-EARL', by: 12 },
  ],
})

await idle(queue)
console.log(mails.join('\n'))
await queue.drop()
await broker.close()
