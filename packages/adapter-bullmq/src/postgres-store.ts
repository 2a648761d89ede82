import { JobportError, type DriverListener, type ServerInfo } from '@jobport/core/driver'
import { Queue, type BackendFactory } from 'bullmq'
import { within } from './deadline.ts'
import { toJobportError } from './faults.ts'
import { LeaseWorker, type Attend } from './lease-worker.ts'
import { PostgresBackend, wholeSeconds, type WorkerEnd } from './postgres-backend.ts'
import { PostgresLedger } from './postgres-ledger.ts'
import { hangUp, PostgresLink } from './postgres-link.ts'
import { asBullMQExpects, ConnectionPool } from './postgres-pool.ts'
import { inspectServer, prepareSchema } from './postgres-server.ts'
import { workerName } from './worker-name.ts'
import type { Client, Pool } from 'pg'
import type { Ledger } from './ledger.ts'
import type { Settings } from './settings.ts'
import type { NativeQueue, Store, Subscription } from './store.ts'
import type { PostgresTarget } from './target.ts'

const CONNECT_DEADLINE = 4_500
/** A worker listens on one connection, and fetches and settles on at most so many. */
const SETTLING = 4
/** It renews leases on one of its own, and on a spare one while that does not answer. */
const RENEWING = 2
/** ms */
const IDLE = 60_000
/** PostgreSQL counts in 32 bits. */
const ANY_STALLS = 2 ** 31 - 1

export class PostgresStore implements Store {
  readonly #settings: Settings
  readonly #target: PostgresTarget
  readonly #queues = new Map<string, NativeQueue>()
  readonly #workers = new Set<ConnectionPool>()
  readonly #link: PostgresLink
  #producer: ConnectionPool | undefined
  #listener: DriverListener | undefined
  #server: ServerInfo | undefined
  #opening: Promise<ServerInfo> | undefined
  #isClosed = false

  constructor(settings: Settings, target: PostgresTarget) {
    this.#settings = settings
    this.#target = target
    this.#link = new PostgresLink(target, {
      onDown: () => this.#listener?.down(new JobportError('UNAVAILABLE', 'postgres: the connection was lost')),
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
      queue = new Queue(name, { connection: {}, skipMetasUpdate: true }, this.#backend(this.#connected()))
      queue.on('error', (error) => this.#report(error))
      this.#queues.set(name, queue)
    }
    return queue
  }

  ledger(name: string): Ledger {
    return new PostgresLedger(this.#connected(), name)
  }

  subscribe(name: string, attend: Attend, concurrency: number): Subscription {
    const { keep, lockDuration, stalledInterval } = this.#settings
    const connections = new ConnectionPool(this.#target, { max: 1 + Math.min(concurrency + 1, SETTLING), idle: 0 })
    // a lease is not to run out while a connection is made
    const renewals = new ConnectionPool(this.#target, { max: RENEWING, least: 1, idle: IDLE, patience: lockDuration / 2 })
    const opened = [connections, renewals]
    for (const one of opened) this.#workers.add(one)
    const pool = asBullMQExpects(connections.pool)
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
      this.#backend(pool, { name: workerName, renewing: asBullMQExpects(renewals.pool) }),
    )
    worker.once('closed', () => {
      for (const one of opened) {
        this.#workers.delete(one)
        void one.end()
      }
    })
    return {
      worker,
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
    await Promise.all([...this.#workers, ...(this.#producer ? [this.#producer] : [])].map((connections) => connections.end()))
  }

  async #open(): Promise<ServerInfo> {
    const dialling = this.#link.dial()
    try {
      const server = await within(
        CONNECT_DEADLINE,
        'connecting',
        dialling.then((client) => this.#inspect(client)),
      )
      if (this.#isClosed) throw new JobportError('CLOSED', 'the driver is closed')
      this.#producer ??= new ConnectionPool(this.#target, { max: this.#target.pool.max ?? 1, idle: IDLE })
      this.#link.hold(await dialling)
      this.#server = server
      return server
    } catch (error) {
      void dialling.then(hangUp, () => {})
      throw refusal(error)
    }
  }

  async #inspect(client: Client): Promise<ServerInfo> {
    const server = await inspectServer(client)
    await prepareSchema(client, this.#target.schema)
    return { server, maxPayload: this.#settings.maxPayload }
  }

  #backend(pool: Pool, worker?: WorkerEnd): BackendFactory {
    const { schema } = this.#target
    return (name, opts, { withBlockingConnection = false } = {}) =>
      new PostgresBackend(pool, schema, name, opts as never, withBlockingConnection ? worker : undefined)
  }

  #connected(): Pool {
    if (!this.#producer) throw new JobportError('UNAVAILABLE', 'postgres: not connected')
    return this.#producer.pool
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
