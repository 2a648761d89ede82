import { JobportError, type Consumer, type Delivery } from '@jobport/core/driver'
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises'
import { within } from './deadline.ts'
import { isLeaseLost, toJobportError } from './faults.ts'
import { InFlight } from './in-flight.ts'
import { LeasedJob } from './leased-job.ts'
import { appear } from './presence.ts'
import { Pulls } from './pulls.ts'
import { Returns } from './returns.ts'
import type { Client } from './client.ts'
import type { Moment } from './lease-clock.ts'
import type { Records } from './records.ts'
import type { Topology } from './topology.ts'
import type { Msg } from '@nats-io/transport-node'

export interface ConsumerOptions {
  readonly prefetch: number
  readonly client: Client
  readonly records: Records
  readonly topology: Topology
  readonly deliver: (delivery: Delivery) => void
  readonly onEnd: () => void
}

/** How long an idle worker's request waits at the server, ms: closing waits for its end, so that no job is sent to nobody. */
const PARK = 400
/** The same where other priorities must be looked at meanwhile. */
const PARK_OF_SEVERAL = 150
/** How often the priorities in use are looked up, ms. */
const LEVELS_INTERVAL = 2_000
const LONGEST_BEAT = 5_000
const FAULT_PAUSE = 250
const START_DEADLINE = 4_500
const STOP_DEADLINE = 1_500
const RETURN_DEADLINE = 1_700

/** Asks for jobs, never for more than it has free places, priority by priority. */
export class NatsConsumer implements Consumer {
  readonly #options: ConsumerOptions
  readonly #pulls: Pulls
  readonly #held = new Set<LeasedJob>()
  readonly #returns = new Returns()
  #running = 0
  /** Jobs that may not be ours, and the last words about those that were. */
  readonly #inFlight = new InFlight()
  readonly #closing = new AbortController()
  readonly #ends: (() => void)[] = []
  #levels: readonly number[] = [0]
  #levelsAt = 0
  #contact: number = Date.now()
  #failed = false
  #stopped = false
  #halted: Promise<void> | undefined
  #wake: () => void = () => {}
  #closed: Promise<void> | undefined

  constructor(options: ConsumerOptions) {
    const { client, records } = options
    this.#options = options
    this.#pulls = new Pulls(
      client,
      records.names.stream,
      (native, askedAt) => void this.#inFlight.track(this.#take(native, askedAt)),
    )
  }

  get lastContact(): number {
    return Math.max(this.#contact, this.#pulls.lastContact)
  }

  /** Begins. Rejects if the queue cannot be made or found. */
  async start(): Promise<void> {
    const { client, topology, records } = this.#options
    const beAsked = async (): Promise<void> => {
      await topology.ensure(records.names)
      if (this.#stopped) return
      this.#ends.push(appear(client, records.names, () => this.#lookAgain()))
      await client.connection.flush()
    }
    try {
      await within(START_DEADLINE, 'consuming', beAsked())
    } catch (error) {
      this.#stopped = true
      for (const end of this.#ends) end()
      this.#options.onEnd()
      throw toJobportError(error, 'consuming')
    }
    const beat = setInterval(() => this.#beat(), Math.min(client.settings.ackWait / 3, LONGEST_BEAT)).unref()
    const forget = client.onReconnect(() => {
      this.#pulls.abandon()
      this.#beat()
    })
    this.#ends.push(forget, () => clearInterval(beat))
    this.#contact = Date.now()
    void this.#run()
  }

  /** Waits for the end of the requests that are under way: what they still bring is handed back, and would else be lost. */
  stop(): Promise<void> {
    this.#halted ??= this.#halt()
    return this.#halted
  }

  async #halt(): Promise<void> {
    this.#stopped = true
    this.#ends.shift()?.()
    this.#wake()
    const ended = this.#pulls.none().then(() => this.#inFlight.none())
    await within(STOP_DEADLINE, 'handing fetched jobs back', ended).catch((error: Error) => this.#report(error))
    this.#retire()
  }

  /** Hands everything back. Ends within 4 s whatever the server does. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await this.stop()
    const returned = Promise.all([...this.#held].map((job) => job.giveBack())).then(() => this.#inFlight.none())
    await within(RETURN_DEADLINE, 'handing jobs back', returned).catch((error: Error) => this.#report(error))
    this.#closing.abort()
    for (const end of this.#ends) end()
    this.#options.onEnd()
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        if (this.#failed) await this.#recover()
        await this.#ask()
      } catch (error) {
        this.#report(error as Error)
        this.#failed = true
      }
    }
  }

  async #recover(): Promise<void> {
    const { topology, records } = this.#options
    await pause(FAULT_PAUSE)
    topology.forget(records.names)
    await topology.ensure(records.names).catch((error: unknown) => {
      // what lies in it is worked all the same; that it is not safe is told by who watches it
      if (!(error instanceof JobportError && error.code === 'SERVER_UNSUITABLE')) throw error
    })
    this.#failed = false
  }

  /** Asks the priorities in order for what waits; if nothing does, waits at the first. */
  async #ask(): Promise<void> {
    await this.#lookUpLevels()
    const isSole = this.#levels.length === 1
    for (const level of isSole ? [] : this.#levels) {
      if (this.#free <= 0 || this.#stopped) break
      if ((await this.#pull(level, 0)) === 'failed') return
    }
    if (this.#stopped) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    const park = Math.min(isSole ? PARK : PARK_OF_SEVERAL, this.#options.client.settings.ackWait / 2)
    if (this.#free > 0) void this.#pull(0, park).then(() => this.#wake())
    await promise
    // jobs that end together are asked for together
    if (this.#options.prefetch > 1) await turn()
  }

  async #pull(level: number, expires: number): Promise<unknown> {
    const end = await this.#pulls.pull(this.#options.records.names.consumer(level), this.#free, expires)
    if (end === 'failed') this.#failed = true
    return end
  }

  /** Others are asked for while those that have run are settled, as many again at most. */
  get #free(): number {
    const { prefetch } = this.#options
    return Math.min(prefetch - this.#running, 2 * prefetch - this.#held.size) - this.#pulls.asked
  }

  async #lookUpLevels(): Promise<void> {
    if (Date.now() - this.#levelsAt < LEVELS_INTERVAL) return
    const { topology, records } = this.#options
    this.#levelsAt = Date.now()
    const consumers = await topology.consumers(records.names)
    const levels = [...consumers.keys()]
    this.#levels = levels.includes(0) ? levels : [0, ...levels]
    const known = [...consumers.values()].reduce((sum, info) => sum + info.num_pending + info.num_ack_pending, 0)
    if ((await records.count(records.names.waiting('*'))) > known)
      await topology.repair(records.names, async (level) => (await records.count(records.names.waiting(level))) > 0)
  }

  #lookAgain(): void {
    this.#levelsAt = 0
    this.#wake()
  }

  async #take(native: Msg, askedAt: Moment): Promise<void> {
    const { client, records } = this.#options
    const { ackWait } = client.settings
    const job = new LeasedJob(native, { client, records, ackWait, askedAt, returns: this.#returns, signal: this.#closing.signal })
    this.#held.add(job)
    this.#running++
    void job.ran.then(() => {
      this.#running--
      this.#wake()
    })
    void job.over.then(() => {
      this.#held.delete(job)
      void this.#inFlight.track(job.acknowledged)
      this.#wake()
      this.#retire()
    })
    if (!(await job.admit())) return
    if (this.#stopped) return job.giveBack()
    this.#options.deliver(job)
  }

  /** Once stopped, it is needed only for the leases in hand. */
  #retire(): void {
    if (this.#stopped && this.#held.size === 0 && this.#pulls.asked === 0) void this.close()
  }

  #beat(): void {
    for (const job of this.#held) {
      void job.renew()
      void job.verify()
    }
    const { client, topology, records } = this.#options
    topology.keepAnEyeOn(records.names)
    client.connection.flush().then(
      () => (this.#contact = Date.now()),
      () => {},
    )
  }

  /** A lease lost is told by the delivery itself; a connection lost, by the driver. */
  #report(error: Error): void {
    if (this.#closing.signal.aborted || isLeaseLost(error)) return
    const told = toJobportError(error, 'a worker')
    if (told.code !== 'UNAVAILABLE' || error instanceof JobportError) this.#options.client.report(told)
  }
}
