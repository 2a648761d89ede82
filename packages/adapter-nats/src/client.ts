import { JobportError, type DriverListener, type ServerInfo } from '@jobport/core/driver'
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream'
import {
  connect,
  credsAuthenticator,
  nkeyAuthenticator,
  type ConnectionOptions,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
} from '@nats-io/transport-node'
import { within } from './deadline.ts'
import { Refusal, toJobportError, Unsent } from './faults.ts'
import { Gate } from './gate.ts'
import { Requests } from './requests.ts'
import { factsOf, inspectServer } from './server.ts'
import type { Settings } from './settings.ts'

/** ms. A first connection, with what is asked then, ends within core's usual patience. */
const CONNECT_DEADLINE = 4_000
const LEAST_DIAL = 1_000
const REQUEST_DEADLINE = 2_000
const CLOSE_DEADLINE = 500
const PING_INTERVAL = 10_000
const RECONNECT_WAIT = 200
/** The server takes 50 to a stream. */
const BATCHES = 16
const LOOKUPS = 64

interface Open {
  readonly connection: NatsConnection
  readonly requests: Requests
  readonly manager: JetStreamManager
}

/** One connection; it mends itself. */
export class Client {
  readonly settings: Settings
  /** Streams that are known to have several copies, whatever our own options say. */
  readonly replicated: Set<string> = new Set()
  /** For writes of several records. */
  readonly batches: Gate = new Gate(BATCHES)
  /** For what is asked of queues: more at once would only wait at the server, and be late. */
  readonly lookups: Gate = new Gate(LOOKUPS)
  #open: Open | undefined
  #connecting: Promise<ServerInfo> | undefined
  #listener: DriverListener | undefined
  readonly #reconnected = new Set<() => void>()
  readonly #timers: NodeJS.Timeout[] = []
  #isUp = false
  #closed: Promise<void> | undefined

  constructor(settings: Settings) {
    this.settings = settings
  }

  get isConnected(): boolean {
    return this.#isUp && !this.#closed
  }

  /** Throws `UNAVAILABLE` before the first connection, `CLOSED` after `close`. */
  get connection(): NatsConnection {
    return this.#opened.connection
  }

  get manager(): JetStreamManager {
    return this.#opened.manager
  }

  /** Connects, or costs a round trip. */
  async connect(listener: DriverListener): Promise<ServerInfo> {
    this.#listener = listener
    if (this.#closed) throw new JobportError('CLOSED', 'the driver is closed')
    if (!this.#open) return (this.#connecting ??= this.#connect().finally(() => (this.#connecting = undefined)))
    const { connection } = this.#open
    await this.#ask(within(REQUEST_DEADLINE, 'a ping', connection.flush()), 'a ping')
    return factsOf(connection, this.settings)
  }

  /** Calls `told` after each reconnect; answers how to end that. */
  onReconnect(told: () => void): () => void {
    this.#reconnected.add(told)
    return () => this.#reconnected.delete(told)
  }

  /** Trouble that nobody waits for. */
  report(error: Error): void {
    if (!this.#closed) this.#listener?.error(error)
  }

  /** Bytes: what the server takes, headers included. */
  get maxPayload(): number {
    return this.#opened.requests.maxPayload
  }

  /** Calls `work` every `ms` while there is a connection, until closed. Does not keep the process. */
  every(ms: number, work: () => void): void {
    if (!this.#closed) this.#timers.push(setInterval(() => this.isConnected && work(), ms).unref())
  }

  /** One request and its reply. Rejects with {@link Unsent}, or with the client's own errors. */
  async request(subject: string, data: Uint8Array | string = '', headers?: MsgHdrs): Promise<Msg> {
    const { requests } = this.#opened
    if (!this.#isUp) throw new Unsent('UNAVAILABLE', 'the broker is not connected')
    return requests.send(subject, data, headers)
  }

  /** Throws {@link Unsent} if the server takes no message of this size. */
  checkSize(data: Uint8Array | string, headers?: MsgHdrs): void {
    this.#opened.requests.checkSize(data, headers)
  }

  /** A request of JetStream's. Rejects with {@link Refusal} if the server says no. */
  async call<Reply>(subject: string, data: Uint8Array | string = '', headers?: MsgHdrs): Promise<Reply> {
    const reply = await this.request(subject, data, headers)
    const answer = reply.json<Reply & { error?: ConstructorParameters<typeof Refusal>[0] }>()
    if (answer.error) throw new Refusal(answer.error)
    return answer
  }

  /** Ends within a second. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  get #opened(): Open {
    if (this.#closed) throw new JobportError('CLOSED', 'the driver is closed')
    if (this.#open) return this.#open
    throw new JobportError('UNAVAILABLE', 'the broker is not connected')
  }

  async #connect(): Promise<ServerInfo> {
    const connection = await connect(toNative(this.settings)).catch((error: unknown) => {
      const told = toJobportError(error, 'connecting')
      throw told.code === 'REJECTED' ? new JobportError('UNAVAILABLE', told.message, { cause: error }) : told
    })
    try {
      const manager = await jetstreamManager(connection, { checkAPI: false, timeout: REQUEST_DEADLINE })
      const info = await this.#ask(
        within(CONNECT_DEADLINE, 'inspecting the server', inspectServer(connection, manager, this.settings)),
        'connecting',
      )
      if (this.#closed) throw new JobportError('CLOSED', 'the driver is closed')
      const requests = new Requests(connection, REQUEST_DEADLINE)
      this.#open = { connection, requests, manager }
      this.#isUp = true
      void this.#watch(connection, requests)
      return info
    } catch (error) {
      await connection.close()
      throw error
    }
  }

  async #watch(connection: NatsConnection, requests: Requests): Promise<void> {
    for await (const status of connection.status()) {
      if (this.#closed) return
      if (status.type === 'disconnect' && this.#isUp) {
        this.#isUp = false
        this.#listener?.down(new JobportError('UNAVAILABLE', 'the connection to the broker was lost'))
      }
      if (status.type === 'reconnect' && !this.#isUp) {
        this.#isUp = true
        this.#listener?.up()
        for (const told of this.#reconnected) told()
      }
      if (status.type === 'error') requests.refused(status.error)
      if (status.type === 'error') this.report(toJobportError(status.error, 'nats'))
    }
  }

  async #close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    const connecting = this.#connecting?.catch(() => {})
    await within(CLOSE_DEADLINE, 'closing', Promise.resolve(connecting)).catch(() => {})
    await within(CLOSE_DEADLINE, 'closing', this.#open?.connection.close() ?? Promise.resolve()).catch(() => {})
  }

  async #ask<T>(answer: Promise<T>, what: string): Promise<T> {
    try {
      return await answer
    } catch (error) {
      throw toJobportError(error, what)
    }
  }
}

function toNative({ servers, user, password, token, nkey, credentials, tls }: Settings): ConnectionOptions {
  return {
    servers,
    name: 'jobport',
    ...(user !== undefined && { user }),
    ...(password !== undefined && { pass: password }),
    ...(token !== undefined && { token }),
    ...(nkey !== undefined && { authenticator: nkeyAuthenticator(new TextEncoder().encode(nkey)) }),
    ...(credentials && { authenticator: credsAuthenticator(credentials) }),
    ...(tls && { tls }),
    // of each server, one after the other
    timeout: Math.max(CONNECT_DEADLINE / servers.length, LEAST_DIAL),
    pingInterval: PING_INTERVAL,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT,
    ignoreAuthErrorAbort: true,
    // else each request makes two errors, with their stacks, that nobody ever sees
    noAsyncTraces: true,
  }
}
