import { createDriver, type Config } from './config.ts'
import { within } from './deadline.ts'
import { isJobportError, JobportError } from './errors.ts'
import { Gate } from './gate.ts'
import { HeldTally } from './held-adds.ts'
import type { Driver, DriverListener, Features, QueueAdmin, ServerInfo } from './driver.ts'

export interface ConnectionOptions {
  /** ms. */
  readonly deadline: number
  readonly require: readonly (keyof Features)[]
}

/** Calls that look into queues and tend them, in flight at once. The others wait for their turn, until their deadline. */
const ADMIN_CALLS = 64

/** One driver, made and connected when first needed: once, shared by all callers, tried again after a failure. */
export class Connection {
  readonly #config: Config | undefined
  readonly #options: ConnectionOptions
  readonly #listener: DriverListener
  readonly #gate = new Gate(ADMIN_CALLS)
  /** Adds of all queues that wait for the broker. */
  readonly held: HeldTally = new HeldTally()
  #making: Promise<Driver> | undefined
  #driver: Driver | undefined
  #connecting: Promise<ServerInfo> | undefined
  #server: ServerInfo | undefined
  #closing: Promise<void> | undefined

  constructor(config: Config | undefined, options: ConnectionOptions, listener: DriverListener) {
    this.#config = config
    this.#options = options
    this.#listener = {
      ...listener,
      up: () => {
        this.held.wake()
        listener.up()
      },
    }
  }

  get closed(): boolean {
    return this.#closing !== undefined
  }

  /** The driver and the server's facts, once there are any. Throw `CLOSED`. */
  get made(): Driver | undefined {
    this.checkOpen()
    return this.#driver
  }

  get server(): ServerInfo | undefined {
    this.checkOpen()
    return this.#server
  }

  /** The driver, made but not necessarily connected. Throws `INVALID_CONFIG`, `ADAPTER_MISSING`, `NOT_SUPPORTED`, `CLOSED`. */
  async driver(): Promise<Driver> {
    this.checkOpen()
    if (this.#driver) return this.#driver
    this.#making ??= this.#make()
    try {
      this.#driver = await this.#making
      return this.#driver
    } finally {
      this.#making = undefined
    }
  }

  /** The server's facts, once connected. Throws `UNAVAILABLE` and the like; the next call tries again. */
  async connect(): Promise<ServerInfo> {
    const driver = await this.driver()
    this.checkOpen()
    if (this.#server) return this.#server
    this.#connecting ??= within(this.#options.deadline, 'connecting', driver.connect(this.#listener)).catch((cause: unknown) => {
      this.checkOpen()
      throw asUnavailable(driver.name, cause)
    })
    try {
      const server = await this.#connecting
      this.checkOpen()
      this.#server = server
      this.held.wake()
      return server
    } finally {
      this.#connecting = undefined
    }
  }

  /** When a call that begins now must end, ms of `performance.now`. */
  end(): number {
    return performance.now() + this.#options.deadline
  }

  /** Costs a round trip; returns how long it took, ms. */
  async ping(end: number = this.end()): Promise<number> {
    const server = this.#server
    const before = performance.now()
    await within(end - performance.now(), 'connecting', this.connect())
    if (server) this.#server = await within(end - performance.now(), 'a ping', (await this.driver()).connect(this.#listener))
    return performance.now() - before
  }

  /** Runs `call` on the queue's admin, connected, until `end` (ms, of `performance.now`) at the latest. Throws `TIMEOUT`. */
  async admin<T>(queue: string, what: string, call: (admin: QueueAdmin) => Promise<T>, end: number = this.end()): Promise<T> {
    const driver = await this.driver()
    const doing = `${what} on ${queue}`
    await this.#connectFor(doing, end)
    if (!(await this.#gate.enter(end - performance.now())))
      throw new JobportError('TIMEOUT', `${doing} had no turn by its deadline`)
    try {
      return await within(end - performance.now(), doing, call(driver.admin(queue)))
    } finally {
      this.#gate.leave()
    }
  }

  async #connectFor(doing: string, end: number): Promise<void> {
    if (!this.#server || this.#closing) await within(end - performance.now(), `connecting for ${doing}`, this.connect())
  }

  /** Throws `NOT_SUPPORTED` before any I/O. */
  async need(feature: keyof Features): Promise<void> {
    const driver = await this.driver()
    requireFeature(driver, feature)
  }

  /** Idempotent; ends within 6 s whatever the driver does. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    this.held.wake()
    return this.#closing
  }

  checkOpen(): void {
    if (this.#closing) throw new JobportError('CLOSED', 'the broker is closed')
  }

  async #make(): Promise<Driver> {
    const driver = await createDriver(this.#config)
    for (const feature of this.#options.require) requireFeature(driver, feature)
    return driver
  }

  async #close(): Promise<void> {
    const driver = this.#driver ?? (await this.#making?.catch(() => undefined))
    if (driver) await within(6_000, 'closing', driver.close())
  }
}

export function requireFeature(driver: Driver, feature: keyof Features): void {
  if (driver.features[feature] !== false) return
  throw new JobportError('NOT_SUPPORTED', `${driver.name} does not support '${feature}'`)
}

function asUnavailable(name: string, cause: unknown): JobportError {
  if (isJobportError(cause) && cause.code !== 'TIMEOUT') return cause
  const { message } = cause as Error
  return new JobportError('UNAVAILABLE', `${name} cannot be reached: ${message}`, { cause })
}
