// An API that publishes events, workers that a deployment can switch off, and the keeper's view of the queues.
// The environment says where: REDIS_HOST, REDIS_PORT and REDIS_PASSWORD, or QUEUE_URL.

import { connect, type Broker, type Queue } from '@jobport/core'
import { idle } from './idle.ts'

type OrderEvent = { orderId: string; customer: string }
type Mail = { to: string; text: string }

type OrderJobs = { ORDER_CREATED: OrderEvent; ORDER_CANCELLED: OrderEvent }
type InventoryJobs = { INVENTORY_RESERVED: OrderEvent; INVENTORY_RELEASED: OrderEvent }
type NotificationJobs = { 'send-notification': Mail; 'batch-notification': { to: string[]; text: string } }

const { QUEUE_WORKERS_ENABLED = 'true', QUEUE_CONCURRENCY = '5' } = process.env
const workersEnabled = QUEUE_WORKERS_ENABLED === 'true'

class Queues {
  readonly orders: Queue<OrderJobs>
  readonly inventory: Queue<InventoryJobs>
  readonly notifications: Queue<NotificationJobs>

  constructor(broker: Broker) {
    const options = { defaults: { attempts: 3, backoff: { type: 'exponential', delay: 100 } } } as const
    this.orders = broker.queue(`orders-${process.pid}`, options)
    this.inventory = broker.queue(`inventory-${process.pid}`, options)
    this.notifications = broker.queue(`notifications-${process.pid}`, options)
  }

  get all(): Pick<Queue, 'name' | 'counts' | 'drop'>[] {
    return [this.orders, this.inventory, this.notifications]
  }
}

/** All that the API's endpoints see. */
class EventPublisher {
  readonly #queues: Queues

  constructor(queues: Queues) {
    this.#queues = queues
  }

  async orderCreated(orderId: string, customer: string): Promise<void> {
    await this.#queues.orders.add('ORDER_CREATED', { orderId, customer })
  }

  async orderCancelled(orderId: string, customer: string): Promise<void> {
    await this.#queues.orders.add('ORDER_CANCELLED', { orderId, customer })
  }
}

function startWorkers(broker: Broker, { orders, inventory, notifications }: Queues): void {
  const options = { concurrency: Number(QUEUE_CONCURRENCY) }
  broker.worker<OrderJobs>(
    orders.name,
    {
      ORDER_CREATED: async ({ data }) => {
        await inventory.add('INVENTORY_RESERVED', data)
        await notifications.add('send-notification', { to: data.customer, text: `thank you for order ${data.orderId}` })
      },
      ORDER_CANCELLED: async ({ data }) => void (await inventory.add('INVENTORY_RELEASED', data)),
    },
    options,
  )
  broker.worker<InventoryJobs>(inventory.name, ({ name, data }) => console.log(name, data.orderId), options)
  broker.worker<NotificationJobs>(
    notifications.name,
    {
      'send-notification': ({ data }) => console.log(`to ${data.to}: ${data.text}`),
      'batch-notification': async ({ data: { to, text } }) => {
        await notifications.addMany(to.map((each) => ({ name: 'send-notification', data: { to: each, text } })))
      },
    },
    options,
  )
}

async function show(title: string, broker: Broker, queues: Queues): Promise<void> {
  const { ok, queues: states } = await broker.health()
  console.log(`${title}: ${ok ? 'healthy' : 'not healthy'}`)
  for (const queue of queues.all) {
    const { waiting, dead } = await queue.counts()
    const { paused, workers } = states[queue.name]!
    console.log(`  ${queue.name}: ${waiting} waiting, ${dead} dead, ${workers} worker processes${paused ? ', paused' : ''}`)
  }
}

const broker = await connect()
broker.closeOn('SIGTERM', 'SIGINT')
const queues = new Queues(broker)
if (workersEnabled) startWorkers(broker, queues)

const events = new EventPublisher(queues)
await queues.notifications.pause()
await events.orderCreated('1001', 'amelia')
await events.orderCancelled('1002', 'noah')
await queues.notifications.add('batch-notification', { to: ['priya', 'mateo'], text: 'the shop is closed on Sunday' })
if (workersEnabled) await idle(queues.orders, queues.inventory)
await show('notifications paused', broker, queues)

await queues.notifications.resume()
if (workersEnabled) await idle(...queues.all)
await show('resumed', broker, queues)

for (const queue of queues.all) await queue.drop()
await broker.close()
