import { JobportError } from '@jobport/core'
import type {
  ConsumeOptions,
  Consumer,
  Delivery,
  Driver,
  Message,
  Outcome,
  PublishResult,
  QueueAdmin,
} from '@jobport/core/driver'

type Publish = (queue: string, messages: readonly Message[], options: { signal: AbortSignal }) => Promise<PublishResult[]>

/** What is done otherwise; the rest is the honest driver's. */
export interface Tampering {
  readonly publish?: (honest: Publish, ...args: Parameters<Publish>) => Promise<PublishResult[]>
  readonly deliver?: (honest: (delivery: Delivery) => void, delivery: Delivery, queue: string) => void
  readonly options?: (options: ConsumeOptions) => ConsumeOptions
  readonly consumer?: (honest: Consumer, receive: (delivery: Delivery) => void, queue: string) => Consumer
  readonly admin?: (honest: QueueAdmin, queue: string) => QueueAdmin
  readonly close?: (honest: () => Promise<void>) => Promise<void>
}

export function tamper(driver: Driver, { publish, deliver, options, consumer, admin, close }: Tampering): Driver {
  const honest: Publish = (...args) => driver.publish(...args)
  return {
    contract: driver.contract,
    name: driver.name,
    features: driver.features,
    connect: (listener) => driver.connect(listener),
    publish: (...args) => (publish ? publish(honest, ...args) : honest(...args)),
    consume: async (queue, receive, wanted) => {
      const given = deliver ? (delivery: Delivery): void => deliver(receive, delivery, queue) : receive
      const made = await driver.consume(queue, given, options ? options(wanted) : wanted)
      return consumer ? consumer(made, receive, queue) : made
    },
    admin: (queue) => (admin ? admin(driver.admin(queue), queue) : driver.admin(queue)),
    close: () => (close ? close(() => driver.close()) : driver.close()),
  }
}

/** The admin with some members replaced; the rest keep their `this`. */
export function tamperAdmin(honest: QueueAdmin, changed: Partial<QueueAdmin>): QueueAdmin {
  return {
    counts: () => honest.counts(),
    status: () => honest.status(),
    get: (id, scope) => honest.get(id, scope),
    list: (state, page) => honest.list(state, page),
    remove: (key, scope) => honest.remove(key, scope),
    purge: (scope) => honest.purge(scope),
    redrive: (uid, as) => honest.redrive(uid, as),
    pause: () => honest.pause(),
    resume: () => honest.resume(),
    drop: () => honest.drop(),
    ...changed,
  }
}

/** The delivery with another way to settle it. */
export function settling(delivery: Delivery, settle: (outcome: Outcome) => Promise<void>): Delivery {
  return { ...copyOf(delivery), settle }
}

export function copyOf(delivery: Delivery): Delivery {
  const { message, attempt, crashes, stalled, invalid, lease } = delivery
  return {
    message,
    attempt,
    crashes,
    stalled,
    lease,
    settle: (outcome) => delivery.settle(outcome),
    abandon: () => delivery.abandon(),
    ...(invalid && { invalid }),
  }
}

/** A driver whose broker refuses the outcomes for which `refuses` says so, however often it is asked. */
export function refusing(driver: Driver, refuses: (outcome: Outcome, delivery: Delivery) => boolean): Driver {
  return tamper(driver, {
    deliver: (receive, delivery) =>
      receive(
        settling(delivery, async (outcome) => {
          if (refuses(outcome, delivery)) throw new JobportError('REJECTED', 'the broker refuses this outcome')
          await delivery.settle(outcome)
        }),
      ),
  })
}
