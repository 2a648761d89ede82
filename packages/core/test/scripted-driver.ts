import { setImmediate as turn } from 'node:timers/promises'
import {
  Lease,
  type Consumer,
  type Delivery,
  type Driver,
  type DriverListener,
  type Features,
  type Message,
  type Outcome,
  type PublishResult,
  type QueueAdmin,
  type ServerInfo,
} from '@jobport/core/driver'

/** A driver whose deliveries the test writes, for the decisions that core makes about crashes, versions and silence. */
export class ScriptedDriver implements Driver {
  readonly contract = 1
  readonly name = 'scripted'
  listener: DriverListener | undefined
  readonly features: Features = {
    delay: { granularity: 10, max: 86_400_000, resolution: 10 },
    dedup: false,
    priority: false,
    ordered: false,
    pause: false,
    cancel: false,
    inspect: false,
    durable: false,
  }
  /** What came of each uid, in order. */
  readonly settled: { uid: string; outcome: Outcome }[] = []
  readonly abandoned: string[] = []
  /** How often `consume` was called. */
  consumed = 0
  consuming = false
  lastContact: () => number = Date.now
  #deliver: (delivery: Delivery) => void = () => {}

  constructor(features: Partial<Features> = {}) {
    Object.assign(this.features, features)
  }

  async connect(listener: DriverListener): Promise<ServerInfo> {
    this.listener = listener
    return { server: 'scripted 1', maxPayload: 1_000 }
  }

  async publish(_queue: string, messages: readonly Message[]): Promise<PublishResult[]> {
    return messages.map(() => ({ status: 'added' }))
  }

  async consume(_queue: string, deliver: (delivery: Delivery) => void): Promise<Consumer> {
    this.consumed++
    this.consuming = true
    this.#deliver = deliver
    const { lastContact } = this
    return {
      stop: async () => void (this.consuming = false),
      get lastContact() {
        return lastContact()
      },
    }
  }

  admin(): QueueAdmin {
    throw new Error('not in this script')
  }

  async close(): Promise<void> {}

  deliver(uid: string, delivery: Partial<Omit<Delivery, 'message'>> = {}, message: Partial<Message> = {}): void {
    this.#deliver({
      message: { version: 1, id: uid, uid, name: 'job', data: null, headers: {}, addedAt: 0, attempts: 1, ...message },
      attempt: 1,
      crashes: 0,
      stalled: false,
      lease: new Lease(),
      settle: async (outcome) => void this.settled.push({ uid, outcome }),
      abandon: () => void this.abandoned.push(uid),
      ...delivery,
    })
  }

  /** Turns the event loop until `uid` has been settled. */
  async outcomeOf(uid: string): Promise<Outcome> {
    for (let turns = 0; turns < 10_000; turns++) {
      const found = this.settled.find((entry) => entry.uid === uid)
      if (found) return found.outcome
      await turn()
    }
    throw new Error(`${uid} was not settled; settled: ${this.settled.map((entry) => entry.uid).join(', ')}`)
  }
}
