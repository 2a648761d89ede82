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

/** A driver that breaks one promise. The suite must notice: by the named case, on an assertion of its own. */
export interface Saboteur {
  readonly name: string
  /** The case that must go red. */
  readonly caughtBy: string
  /** Numbers of the chapters that it may turn red; every other one must stay green. */
  readonly touches: readonly number[]
  readonly wrap: (driver: Driver) => Driver
  /** What memory cannot show: it is tried on a broker that has processes, and a wire. */
  readonly needs?: 'broker'
  /** Where its driver connects, whatever URL it is given. */
  readonly urlOf?: (url: string) => string
}

type Publish = (queue: string, messages: readonly Message[], options: { signal: AbortSignal }) => Promise<PublishResult[]>

/** What a saboteur changes; the rest is the honest driver's. */
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

/** One whose queues answer otherwise. */
export function answering(
  name: string,
  caughtBy: string,
  touches: readonly number[],
  change: (honest: QueueAdmin) => Partial<QueueAdmin>,
): Saboteur {
  return { name, caughtBy, touches, wrap: (driver) => tamper(driver, { admin: (honest) => tamperAdmin(honest, change(honest)) }) }
}
