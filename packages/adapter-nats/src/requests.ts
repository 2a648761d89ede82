import {
  createInbox,
  NoRespondersError,
  PermissionViolationError,
  RequestError,
  TimeoutError,
  type Msg,
  type MsgHdrs,
  type MsgHdrsImpl,
  type NatsConnection,
} from '@nats-io/transport-node'
import { Unsent } from './faults.ts'

/** Bytes. The server takes no more of a message that is stored. */
const MOST_HEADERS = 65_536

interface Request {
  readonly subject: string
  readonly resolve: (reply: Msg) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

/** Requests and their replies over one subscription. The client's own makes an error, with its stack, for each that succeeds. */
export class Requests {
  readonly #connection: NatsConnection
  readonly #deadline: number
  readonly #inbox = createInbox()
  readonly #open = new Map<string, Request>()
  /** Bytes. The client forgets the server's limit while it reconnects. */
  #maxPayload = Infinity
  #isListening = false
  #made = 0

  /** `deadline`: ms to the reply. */
  constructor(connection: NatsConnection, deadline: number) {
    this.#connection = connection
    this.#deadline = deadline
    void connection.closed().then(() => this.#failAll(new RequestError('connection closed')))
  }

  /** Bytes: what the server takes, headers included. */
  get maxPayload(): number {
    this.#maxPayload = this.#connection.info?.max_payload ?? this.#maxPayload
    return this.#maxPayload
  }

  /** Rejects with {@link Unsent}, or with the client's errors. */
  send(subject: string, data: Uint8Array | string, headers?: MsgHdrs): Promise<Msg> {
    const token = (++this.#made).toString(36)
    return new Promise((resolve, reject) => {
      this.checkSize(data, headers)
      if (!this.#isListening) this.#listen()
      this.#connection.publish(subject, data, { reply: `${this.#inbox}.${token}`, ...(headers && { headers }) })
      const timer = setTimeout(() => this.#late(token), this.#deadline)
      this.#open.set(token, { subject, resolve, reject, timer })
    })
  }

  /** Throws {@link Unsent}: a server ends the connection of a client that sends it more than it takes. */
  checkSize(data: Uint8Array | string, headers?: MsgHdrs): void {
    const most = this.maxPayload
    const body = typeof data === 'string' ? Buffer.byteLength(data) : data.length
    // headers are small, and encoding them takes longer than all else here
    if (body + MOST_HEADERS <= most) return
    const size = body + (headers ? (headers as MsgHdrsImpl).encode().length : 0)
    if (size <= most) return
    throw new Unsent('REJECTED', `a message of ${size} bytes is larger than the server's max_payload of ${most}`)
  }

  /** What the server said of a message that it did not take. */
  refused(error: Error): void {
    if (!(error instanceof PermissionViolationError) || error.operation !== 'publish') return
    for (const [token, { subject }] of this.#open) if (subject === error.subject) this.#take(token)!.reject(error)
  }

  /** A reply may lie in the socket, unread, if this process was busy: it is read before the next turn. */
  #late(token: string): void {
    setImmediate(() => this.#take(token)?.reject(new TimeoutError()))
  }

  /** A subscription that the server refuses is of no more use. */
  #listen(): void {
    this.#isListening = true
    this.#connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (!error) return this.#answered(message)
        this.#isListening = false
        this.#failAll(error)
      },
    })
  }

  #answered(message: Msg): void {
    const request = this.#take(message.subject.slice(this.#inbox.length + 1))
    if (!request) return
    const isUnheard = message.data.length === 0 && message.headers?.code === 503
    if (isUnheard) request.reject(new NoRespondersError(request.subject))
    else request.resolve(message)
  }

  #take(token: string): Request | undefined {
    const request = this.#open.get(token)
    this.#open.delete(token)
    clearTimeout(request?.timer)
    return request
  }

  #failAll(error: Error): void {
    for (const token of this.#open.keys()) this.#take(token)!.reject(error)
  }
}
