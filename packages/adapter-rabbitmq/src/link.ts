import { coalesceWrites, JobportError } from '@jobport/core/driver'
import {
  connect,
  credentials,
  IllegalOperationError,
  type Channel,
  type ChannelModel,
  type ConfirmChannel,
  type RecoveringChannelModel,
  type ServerProperties,
} from 'amqplib'
import { within } from './deadline.ts'
import { toJobportError } from './faults.ts'
import type { Settings } from './settings.ts'
import type { Duplex } from 'node:stream'

export interface LinkListener {
  up(): void
  down(error: Error): void
  error(error: Error): void
}

/** ms. */
const CONNECT_DEADLINE = 5_000
const CHANNEL_DEADLINE = 5_000
const CLOSE_DEADLINE = 1_500

/** One connection that comes back by itself, to the next host of the list. Its channels do not: whoever opened one opens another. */
export class Link {
  readonly #settings: Settings
  readonly #purpose: string
  readonly #listener: LinkListener
  #model: RecoveringChannelModel | undefined
  #live: ChannelModel | undefined
  #blocked: string | undefined
  #isClosed = false
  #turn = 0
  #lastFault: Error | undefined

  constructor(settings: Settings, purpose: string, listener: LinkListener) {
    this.#settings = settings
    this.#purpose = purpose
    this.#listener = listener
  }

  get isConnected(): boolean {
    return this.#live !== undefined
  }

  /** The broker takes nothing that is published now, and says why. */
  get blocked(): string | undefined {
    return this.#blocked
  }

  /** Once connected. */
  get server(): ServerProperties {
    if (!this.#live) throw this.#away()
    return this.#live.connection.serverProperties
  }

  /** Bytes that the server takes in one frame, such as that of a message's properties. Once connected. */
  get frameMax(): number {
    if (!this.#live) throw this.#away()
    return (this.#live.connection as unknown as { readonly frameMax: number }).frameMax
  }

  /** Tries each host once. Rejects with a typed error, and can then be called again. */
  async open(): Promise<void> {
    if (this.#model) {
      if (!this.#live) throw this.#away()
      return
    }
    const { hosts } = this.#settings
    this.#checkOpen()
    const model = await this.#connect(hosts.length - 1)
    this.#model = model
    try {
      await within(CONNECT_DEADLINE * hosts.length, `connecting to ${this.#place()}`, model.waitForConnect())
    } catch (error) {
      this.#model = undefined
      void model.close().catch(() => {})
      this.#checkOpen()
      throw toJobportError(this.#lastFault ?? error, `connecting to ${this.#place()}`)
    }
  }

  async channel(): Promise<Channel> {
    return this.#open((model) => model.createChannel())
  }

  async confirmChannel(): Promise<ConfirmChannel> {
    return this.#open((model) => model.createConfirmChannel())
  }

  /** For good. */
  async close(): Promise<void> {
    this.#isClosed = true
    const [model, live] = [this.#model, this.#live]
    this.#model = undefined
    this.#live = undefined
    if (model) await within(CLOSE_DEADLINE, 'disconnecting', model.close()).catch(() => {})
    if (live) destroy(live)
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new JobportError('CLOSED', 'the driver is closed')
  }

  async #open<T extends Channel>(create: (model: ChannelModel) => Promise<T>): Promise<T> {
    const model = this.#live
    if (!model) throw this.#away()
    try {
      const opening = create(model)
      const channel = await within(CHANNEL_DEADLINE, 'opening a channel', opening)
      // what befalls a channel is told to the call that it befalls, and by its 'close'
      channel.on('error', () => {})
      return channel
    } catch (error) {
      if (error instanceof IllegalOperationError) await this.#renew(model, error)
      throw toJobportError(error, 'opening a channel')
    }
  }

  /** amqplib does not hear of a connection that it ends as it begins, and takes it for a live one. */
  async #renew(dead: ChannelModel, error: Error): Promise<void> {
    const model = this.#model
    if (this.#live !== dead || !model) return
    this.#live = undefined
    destroy(dead)
    this.#turn++
    this.#listener.down(toJobportError(error, `the connection to ${this.#place()}`))
    void model.close().catch(() => {})
    const next = await this.#connect(Infinity)
    if (this.#isClosed) return void next.close().catch(() => {})
    this.#model = next
  }

  async #connect(initialMaxRetries: number): Promise<RecoveringChannelModel> {
    const { username, password, external, vhost, tls, heartbeat } = this.#settings
    const current = (): { host: string; port: number } => this.#settings.hosts[this.#turn % this.#settings.hosts.length]!
    const target = {
      protocol: tls ? 'amqps' : 'amqp',
      // read again at every connect
      get hostname() {
        return current().host
      },
      get port() {
        return current().port
      },
      username,
      password,
      vhost: encodeURIComponent(vhost),
      heartbeat,
    }
    this.#lastFault = undefined
    const model = await connect(target, {
      ...tls,
      ...(external && { credentials: credentials.external() }),
      noDelay: true,
      keepAlive: true,
      timeout: CONNECT_DEADLINE,
      clientProperties: { connection_name: `jobport ${this.#purpose} ${process.pid}` },
      recovery: { initialDelay: 100, maxDelay: 2_000, initialMaxRetries, waitForConnect: false },
    })
    model.on('connect', (live) => {
      coalesceWrites(streamOf(live))
      this.#live = live
      this.#blocked = undefined
      this.#listener.up()
    })
    model.on('disconnect', (error) => {
      if (this.#live) destroy(this.#live)
      this.#live = undefined
      this.#turn++
      this.#listener.down(toJobportError(error, `the connection to ${this.#place()}`))
    })
    model.on('connect-failed', (error) => {
      this.#lastFault = error
      this.#turn++
    })
    model.on('blocked', (reason) => {
      this.#blocked = reason
      this.#listener.error(new JobportError('UNAVAILABLE', `the broker takes no messages: ${reason}`))
    })
    model.on('unblocked', () => (this.#blocked = undefined))
    model.on('error', () => {})
    model.on('handler-error', (error: Error) => this.#listener.error(error))
    return model
  }

  #place(): string {
    return this.#settings.hosts.map(({ host, port }) => `${host}:${port}`).join(', ')
  }

  #away(): JobportError {
    return new JobportError('UNAVAILABLE', `the broker at ${this.#place()} is not connected`)
  }
}

/** amqplib ends its side only, and waits for the other: one that is frozen would keep the socket open. */
function destroy(model: ChannelModel): void {
  streamOf(model).destroy(new Error('closed'))
}

function streamOf({ connection }: ChannelModel): Duplex {
  return (connection as unknown as { readonly stream: Duplex }).stream
}
