import { pause, within } from './deadline.ts'
import { isJobportError, JobportError } from './errors.ts'
import { toError } from './job-error.ts'
import type { Connection } from './connection.ts'
import type { Consumer, Delivery } from './driver.ts'

export interface ConsumingOptions {
  readonly prefetch: number
  /** Fires when the worker stops. */
  readonly signal: AbortSignal
  readonly deliver: (delivery: Delivery) => void
  readonly onError: (error: Error) => void
}

/** A subscription that has not heard of its broker for this long is replaced, whatever the client library says; ms. */
const SILENCE = 30_000
const WATCH_INTERVAL = 5_000
const CALL_DEADLINE = 5_000
/** Of a driver that subscribes, ms: twice what the contract gives it. */
const CONSUME_DEADLINE = 10_000
const LONGEST_WAIT = 5_000

/** No later try can mend these. */
const FATAL: ReadonlySet<string> = new Set(['INVALID_CONFIG', 'ADAPTER_MISSING', 'NOT_SUPPORTED', 'CLOSED'])

/** A worker's subscription: made when the broker can be had, watched, replaced when it falls silent. */
export class Consuming {
  /** The first time jobs could be consumed. */
  readonly ready: Promise<void>
  readonly #queue: string
  readonly #connection: Connection
  readonly #options: ConsumingOptions
  #becomeReady!: () => void
  #fail!: (error: Error) => void
  #consumer: Consumer | undefined
  #starting: Promise<void> | undefined
  #halting: Promise<void> | undefined
  #watchdog: NodeJS.Timeout | undefined

  constructor(queue: string, connection: Connection, options: ConsumingOptions) {
    this.#queue = queue
    this.#connection = connection
    this.#options = options
    this.ready = new Promise((resolve, reject) => {
      this.#becomeReady = resolve
      this.#fail = reject
    })
    this.ready.catch(() => {})
  }

  get alive(): boolean {
    return this.#consumer !== undefined && Date.now() - this.#consumer.lastContact < SILENCE
  }

  /** Consumes, as soon as that is possible. */
  start(): void {
    if (this.#starting || this.#consumer || this.#options.signal.aborted) return
    this.#starting = this.#start().finally(() => (this.#starting = undefined))
    this.#watchdog ??= setInterval(() => this.#watch(), WATCH_INTERVAL).unref()
  }

  /** No delivery arrives once it resolved, until `start`. Calls at the same time share its end. */
  halt(): Promise<void> {
    this.#halting ??= this.#halt().finally(() => (this.#halting = undefined))
    return this.#halting
  }

  /** For good. */
  async stop(): Promise<void> {
    clearInterval(this.#watchdog)
    this.#fail(new JobportError('CLOSED', 'the worker is stopped'))
    await this.halt()
  }

  async #halt(): Promise<void> {
    await this.#starting
    const consumer = this.#consumer
    this.#consumer = undefined
    if (consumer) await this.#stop(consumer)
  }

  async #start(): Promise<void> {
    const { signal, onError } = this.#options
    for (let wait = 250; !signal.aborted; wait = Math.min(wait * 2, LONGEST_WAIT)) {
      try {
        return await this.#consume()
      } catch (thrown) {
        const error = toError(thrown)
        const fatal = isJobportError(error) && FATAL.has(error.code)
        if (fatal) this.#fail(error)
        if (!signal.aborted) onError(error)
        if (fatal) return
        await pause(wait, signal)
      }
    }
  }

  async #consume(): Promise<void> {
    await this.#connection.connect()
    const driver = await this.#connection.driver()
    const { prefetch, deliver, signal } = this.#options
    const subscribing = driver.consume(this.#queue, deliver, { prefetch })
    const consumer = await within(CONSUME_DEADLINE, 'subscribing', subscribing).catch((error: unknown) => {
      // what comes too late is not wanted any more
      subscribing.then(
        (late) => this.#stop(late),
        () => {},
      )
      throw error
    })
    if (signal.aborted) return this.#stop(consumer)
    this.#consumer = consumer
    this.#becomeReady()
  }

  #watch(): void {
    if (this.#starting || !this.#consumer || this.alive) return
    const silent = this.#consumer
    this.#consumer = undefined
    this.#options.onError(
      new JobportError('UNAVAILABLE', `${this.#queue}: no sign of life from the broker for ${SILENCE} ms; subscribing again`),
    )
    void this.#stop(silent)
    this.start()
  }

  async #stop(consumer: Consumer): Promise<void> {
    try {
      await within(CALL_DEADLINE, 'stopping a consumer', consumer.stop())
    } catch (thrown) {
      this.#options.onError(toError(thrown))
    }
  }
}
