import { JobportError, type DriverListener, type ServerInfo } from '@jobport/core/driver'
import { Queue, type BackendFactory } from 'bullmq'
import { within } from './deadline.ts'
import { toJobportError } from './faults.ts'
import { LeaseWorker, type Attend } from './lease-worker.ts'
import { PostgresBackend, wholeSeconds, type WorkerEnd } from './postgres-backend.ts'
import { PostgresLedger } from './postgres-ledger.ts'
import { hangUp, PostgresLink } from './postgres-link.ts'
import { ConnectionPool, PoolView } from './postgres-pool.ts'
import { admitServer } from './postgres-server.ts'
import { Signals } from './postgres-signals.ts'
import { workerName } from './worker-name.ts'
import type { Client, ClientBase, Pool } from 'pg'
import type { Ledger } from './ledger.ts'
import type { Settings } from './settings.ts'
import type { NativeQueue, Store, Subscription } from './store.ts'
import type { PostgresTarget } from './target.ts'

const CONNECT_DEADLINE = 4_500
const BESIDES = 500
/** One connection is held open, to know whether the server is there, and to listen on. */
const HELD = 1
/** Leases are renewed on one of their own, and on a spare one while that does not answer. */
const RENEWING = 2
/** Waiting in line for a connection is bounded by the caller; this is for those who no longer do. ms */
const QUEUEING = 600_000
const DIALLING = 4_000
/** ms */
const IDLE = 60_000
/** PostgreSQL counts in 32 bits. */
const ANY_STALLS = 2 ** 31 - 1

export class PostgresStore implements Store {
  readonly #settings: Settings
  readonly #target: PostgresTarget
  readonly #queues = new Map<string, NativeQueue>()
  readonly #link: PostgresLink
  readonly #signals: Signals
  #connections: ConnectionPool | undefined
  #renewals: ConnectionPool | undefined
  #listener: DriverListener | undefined
  #server: ServerInfo | undefined
  #opening: Promise<ServerInfo> | undefined
  #isClosed = false

  constructor(settings: Settings, target: PostgresTarget) {
    this.#settings = settings
    this.#target = target
    this.#signals = new Signals(target.schema, () => this.#link.client)
    this.#link = new PostgresLink(target, {
      prepare: (client) => this.#signals.prepare(client),
      onDown: () => {
        this.#signals.lost()
        this.#listener?.down(new JobportError('UNAVAILABLE', 'postgres: the connection was lost'))
      },
      onUp: () => this.#listener?.up(),
    })
  }

  get isConnected(): boolean {
    return this.#server !== undefined && this.#link.isUp
  }

  async connect(listener: DriverListener): Promise<ServerInfo> {
    if (this.#isClosed) throw new JobportError('CLOSED', 'the driver is closed')
    this.#listener = listener
    if (!this.#server) {
      this.#opening ??= this.#open().finally(() => (this.#opening = undefined))
      return this.#opening
    }
    await within(CONNECT_DEADLINE, 'ping', this.#link.ping()).catch((error: unknown) => {
      throw toJobportError(error, 'postgres')
    })
    return this.#server
  }

  queue(name: string): NativeQueue {
    let queue = this.#queues.get(name)
    if (!queue) {
      queue = new Queue(name, { connection: {}, skipMetasUpdate: true }, this.#backend(new PoolView(this.#connected())))
      queue.on('error', (error) => this.#report(error))
      this.#queues.set(name, queue)
    }
    return queue
  }

  ledger(name: string): Ledger {
    return new PostgresLedger(new PoolView(this.#connected()), name)
  }

  subscribe(name: string, attend: Attend, concurrency: number): Subscription {
    const { keep, lockDuration, stalledInterval } = this.#settings
    const pool = new PoolView(this.#connected(), { isPatient: true })
    this.#renewals ??= new ConnectionPool(this.#target, {
      max: RENEWING,
      least: 1,
      idle: IDLE,
      // a lease is not to run out behind a connection that hangs
      patience: lockDuration / 2,
      queueing: DIALLING,
    })
    const renewing = new PoolView(this.#renewals.pool, { isPatient: true })
    this.#signals.join(name)
    const worker = new LeaseWorker(
      name,
      attend,
      {
        connection: {},
        name: workerName,
        concurrency,
        autorun: false,
        lockDuration,
        stalledInterval,
        maxStalledCount: ANY_STALLS,
        runRetryDelay: 1_000,
        removeOnComplete: wholeSeconds(keep.completed),
        removeOnFail: wholeSeconds(keep.dead),
      },
      this.#backend(pool, { signals: this.#signals, renewing }),
    )
    return {
      worker,
      leave: () => this.#signals.leave(name),
      ledger: new PostgresLedger(pool, name),
      ping: () => pool.query('SELECT 1'),
      spare: () => worker.getBackend(),
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#link.close()
    const queues = [...this.#queues.values()].map((queue) => queue.close())
    await within(300, 'closing queues', Promise.all(queues)).catch(() => {})
    this.#queues.clear()
    await Promise.all([this.#connections?.end(), this.#renewals?.end()])
  }

  async #open(): Promise<ServerInfo> {
    const max = this.#target.maxConnections - HELD - RENEWING
    this.#connections ??= new ConnectionPool(this.#target, { max, idle: IDLE, queueing: QUEUEING })
    const other = this.#connections.pool.connect()
    other.catch(() => {})
    const dialling = this.#link.dial()
    const { connectionTimeoutMillis = 0 } = this.#target.pool
    try {
      const server = await within(
        Math.max(CONNECT_DEADLINE, connectionTimeoutMillis + BESIDES),
        'connecting',
        dialling.then((client) => this.#inspect(client, other)),
      )
      if (this.#isClosed) throw new JobportError('CLOSED', 'the driver is closed')
      this.#link.hold(await dialling)
      this.#server = server
      return server
    } catch (error) {
      void dialling.then(hangUp, () => {})
      throw refusal(error)
    } finally {
      void other.then(
        (client) => client.release(),
        () => {},
      )
    }
  }

  async #inspect(client: Client, other: Promise<ClientBase>): Promise<ServerInfo> {
    const server = await admitServer(client, other, this.#target.schema)
    return { server, maxPayload: this.#settings.maxPayload }
  }

  #backend(pool: PoolView, worker?: WorkerEnd): BackendFactory {
    const { schema } = this.#target
    return (name, opts, { withBlockingConnection = false } = {}) =>
      new PostgresBackend(pool, schema, name, opts as never, withBlockingConnection ? worker : undefined)
  }

  #connected(): Pool {
    if (!this.#server || !this.#connections) throw new JobportError('UNAVAILABLE', 'postgres: not connected')
    return this.#connections.pool
  }

  /** Lost connections are told by `down`, once. */
  #report(error: Error): void {
    const told = toJobportError(error, 'postgres')
    if (told.code !== 'UNAVAILABLE' && !this.#isClosed) this.#listener?.error(told)
  }
}

/** A server that refuses what is needed, be it a missing database, cannot be used. */
function refusal(error: unknown): JobportError {
  const told = toJobportError(error, 'postgres')
  return told.code === 'REJECTED' ? new JobportError('SERVER_UNSUITABLE', told.message, { cause: error }) : told
}
