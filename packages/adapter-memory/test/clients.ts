import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { createDriver, MemoryDriver, type MemoryOptions } from '@jobport/adapter-memory'
import { Broker, JobportError, type Handlers, type Worker } from '@jobport/core'
import type { Delivery, Message } from '@jobport/core/driver'

export const HOUR = 3_600_000
export const EMPTY = { waiting: 0, delayed: 0, active: 0, dead: 0 }

type AnyJobs = Record<string, unknown>

const brokers: Broker[] = []
const drivers: MemoryDriver[] = []

export function open(options: MemoryOptions = {}): { driver: MemoryDriver; broker: Broker } {
  const driver = new MemoryDriver(options)
  const broker = new Broker(driver)
  brokers.push(broker)
  return { driver, broker }
}

/** A connected driver, without a broker around it. */
export async function raw(options: string | MemoryOptions = {}): Promise<MemoryDriver> {
  const driver = createDriver(options)
  drivers.push(driver)
  await driver.connect()
  return driver
}

/** Closes all that was opened here. */
export async function closeAll(): Promise<void> {
  await Promise.all(brokers.splice(0).map((broker) => broker.close({ timeout: 100 })))
  await Promise.all(drivers.splice(0).map((driver) => driver.close()))
}

/** Consuming the queue `q` when this resolves. */
export async function work(broker: Broker, handlers: Handlers<AnyJobs>): Promise<Worker<AnyJobs>> {
  const worker = broker.worker<AnyJobs>('q', handlers)
  await worker.ready()
  return worker
}

export async function refusal(work: Promise<unknown>, code: string): Promise<JobportError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).to.be.instanceOf(JobportError).with.property('code', code)
  return error as JobportError
}

export function message(id: string, over: Partial<Message> = {}): Message {
  return { version: 1, id, uid: randomUUID(), name: 'job', data: null, headers: {}, addedAt: Date.now(), attempts: 1, ...over }
}

/** Deliveries as they come; `next` waits for the one after the last that it gave. */
export async function consumed(driver: MemoryDriver, prefetch = 1): Promise<{ next: () => Promise<Delivery>; seen: Delivery[] }> {
  const seen: Delivery[] = []
  let arrived = Promise.withResolvers<void>()
  let given = 0
  await driver.consume(
    'q',
    (delivery) => {
      seen.push(delivery)
      arrived.resolve()
      arrived = Promise.withResolvers()
    },
    { prefetch },
  )
  const next = async (): Promise<Delivery> => {
    while (seen.length <= given) await arrived.promise
    return seen[given++]!
  }
  return { next, seen }
}
