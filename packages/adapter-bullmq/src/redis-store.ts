import { JobportError, type DriverListener, type ServerInfo } from '@jobport/core/driver'
import { createRedisBackend, Queue, type BackendFactory } from 'bullmq'
import { ReplyError } from 'ioredis'
import { within } from './deadline.ts'
import { toJobportError } from './faults.ts'
import { LeaseWorker, type Attend, type Leases } from './lease-worker.ts'
import { connected, isReady, makeProducer, makeWorker, type Client } from './redis-clients.ts'
import { RedisLedger } from './redis-ledger.ts'
import { inspectServer } from './redis-server.ts'
import { lineUpStalled } from './redis-stalls.ts'
import { workerName } from './worker-name.ts'
import type { Ledger } from './ledger.ts'
import type { Settings } from './settings.ts'
import type { NativeQueue, Store, Subscription } from './store.ts'
import type { RedisTarget } from './target.ts'

const CONNECT_DEADLINE = 4_500
const backendFactory = createRedisBackend as unknown as BackendFactory

export class RedisStore implements Store {
  readonly #settings: Settings
  readonly #target: RedisTarget
  readonly #queues = new Map<string, NativeQueue>()
  readonly #ledgers = new Map<string, Ledger>()
  #listener: DriverListener | undefined
  #producer: Client | undefined
  #workers: Client | undefined
  /** Made when it is needed first. */
  #spare: Client | undefined
  readonly #leases = new Map<string, Leases>()
  #server: ServerInfo | undefined
  #opening: Promise<ServerInfo> | undefined
  #isVersionKnown = true
  #isDown = false
  #isClosed = false

  constructor(settings: Settings, target: RedisTarget) {
    this.#settings = settings
    this.#target = target
  }

  /** The connection for publishing and administration. */
  get client(): Client | undefined {
    return this.#producer
  }

  get isConnected(): boolean {
    return this.#server !== undefined && this.#producer !== undefined && isReady(this.#producer)
  }

  async connect(listener: DriverListener): Promise<ServerInfo> {
    if (this.#isClosed) throw new JobportError('CLOSED', 'the driver is closed')
    this.#listener = listener
    if (!this.#server || !this.#producer) {
      this.#opening ??= this.#open().finally(() => (this.#opening = undefined))
      return this.#opening
    }
    if (!isReady(this.#producer)) throw new JobportError('UNAVAILABLE', 'redis: the connection is down')
    await within(CONNECT_DEADLINE, 'ping', this.#producer.ping()).catch((error: unknown) => {
      throw toJobportError(error, 'redis')
    })
    return this.#server
  }

  queue(name: string): NativeQueue {
    let queue = this.#queues.get(name)
    if (!queue) {
      queue = new Queue(
        name,
        { connection: this.#connected(), prefix: this.#settings.prefix, skipVersionCheck: true },
        backendFactory,
      )
      queue.on('error', (error) => this.#report(error))
      this.#queues.set(name, queue)
    }
    return queue
  }

  ledger(name: string): Ledger {
    let ledger = this.#ledgers.get(name)
    if (!ledger) this.#ledgers.set(name, (ledger = this.#ledger(this.#connected(), name)))
    return ledger
  }

  subscribe(name: string, attend: Attend, concurrency: number): Subscription {
    const { prefix, keep, lockDuration, stalledInterval } = this.#settings
    const client = (this.#workers ??= this.#makeWorkers())
    const worker = new LeaseWorker(
      name,
      attend,
      {
        connection: client,
        prefix,
        name: workerName,
        concurrency,
        autorun: false,
        skipVersionCheck: !this.#isVersionKnown,
        lockDuration,
        stalledInterval,
        maxStalledCount: Number.MAX_SAFE_INTEGER,
        runRetryDelay: 1_000,
        removeOnComplete: keep.completed,
        removeOnFail: keep.dead,
      },
      backendFactory,
    )
    if (!this.#isVersionKnown)
      void worker.waitUntilReady().then(
        () => waitExactly(worker),
        () => {},
      )
    const ledger = this.#ledger(client, name)
    lineUpStalled(worker, client, this.#base(name))
    return { worker, ledger, ping: () => client.ping(), leave: () => Promise.resolve(), spare: () => this.#spareLeases(name) }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const queues = [...this.#queues.values()].map((queue) => queue.close())
    await within(500, 'closing queues', Promise.all(queues)).catch(() => {})
    this.#queues.clear()
    this.#workers?.disconnect()
    this.#spare?.disconnect()
    if (this.#producer) this.#drop(this.#producer)
  }

  async #open(): Promise<ServerInfo> {
    // the first connection tells at once why it failed; later ones go on trying
    const client = makeProducer(this.#target, CONNECT_DEADLINE, () => this.#server !== undefined)
    const over = new AbortController()
    let fault: unknown
    const onError = (error: unknown): void => void (fault = error)
    client.on('error', onError)
    try {
      await within(CONNECT_DEADLINE, 'connecting', connected(client, over.signal))
      // ioredis stays on database 0 if the server has no such one
      if (fault instanceof ReplyError) throw fault
      const { version, isKnown, warning } = await inspectServer(client)
      if (this.#isClosed) throw new JobportError('CLOSED', 'the driver is closed')
      if (warning) setImmediate(() => this.#listener?.error(warning))
      this.#producer = client
      this.#isVersionKnown = isKnown
      this.#server = { server: version, maxPayload: this.#settings.maxPayload }
      this.#isDown = false
      client.on('close', this.#onClose)
      client.on('ready', this.#onReady)
      client.on('error', this.#onError)
      return this.#server
    } catch (error) {
      this.#drop(client)
      throw error instanceof JobportError && error.code !== 'UNAVAILABLE' ? error : toRefusal(fault ?? error)
    } finally {
      over.abort()
      client.off('error', onError)
    }
  }

  /** One connection for what all workers of this driver do but wait; BullMQ makes one more for each to wait on. */
  #makeWorkers(): Client {
    const client = makeWorker(this.#target)
    client.on('error', (error: Error) => this.#report(error))
    return client
  }

  #spareLeases(name: string): Leases {
    if (this.#isClosed) throw new JobportError('CLOSED', 'the driver is closed')
    let leases = this.#leases.get(name)
    if (!leases) {
      const { prefix } = this.#settings
      this.#spare ??= this.#makeWorkers()
      const backend = backendFactory(name, { connection: this.#spare, prefix, skipVersionCheck: true } as never)
      backend.on('error', (error: Error) => this.#report(error))
      this.#leases.set(name, (leases = backend))
    }
    return leases
  }

  #ledger(client: Client, name: string): Ledger {
    return new RedisLedger(client, this.#base(name), (error) => this.#report(error))
  }

  /** Of the names of a queue's keys. */
  #base(name: string): string {
    return `${this.#settings.prefix}:${name}:`
  }

  #connected(): Client {
    if (!this.#producer) throw new JobportError('UNAVAILABLE', 'redis: not connected')
    return this.#producer
  }

  /** Lets go of a client: disconnects it, unless it is the caller's. */
  #drop(client: Client): void {
    client.off('close', this.#onClose)
    client.off('ready', this.#onReady)
    client.off('error', this.#onError)
    if (this.#target.kind === 'given') return
    client.on('error', () => {})
    client.disconnect()
  }

  readonly #onClose = (): void => {
    if (this.#isDown || this.#isClosed) return
    this.#isDown = true
    this.#listener?.down(new JobportError('UNAVAILABLE', 'redis: the connection was lost'))
  }

  readonly #onReady = (): void => {
    if (!this.#isDown) return
    this.#isDown = false
    this.#listener?.up()
  }

  readonly #onError = (error: Error): void => this.#report(error)

  /** Lost connections are told by `down`, once. */
  #report(error: Error): void {
    const told = toJobportError(error, 'redis')
    if (told.code !== 'UNAVAILABLE' && !this.#isClosed) this.#listener?.error(told)
  }
}

/** BullMQ waits in whole seconds where it may not ask for the version; what we need can do better. */
function waitExactly(worker: LeaseWorker): void {
  const { blockingConnection } = worker.getBackend() as unknown as {
    blockingConnection: { capabilities: { canDoubleTimeout: boolean } }
  }
  blockingConnection.capabilities.canDoubleTimeout = true
}

/** What a first connection failed of: something that passes, or something that the server has not. */
function toRefusal(fault: unknown): JobportError {
  const told = toJobportError(fault, 'redis')
  if (told.code !== 'REJECTED') return told
  return new JobportError(fault instanceof ReplyError ? 'SERVER_UNSUITABLE' : 'UNAVAILABLE', told.message, { cause: fault })
}
