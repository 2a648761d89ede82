import type { ConfirmChannel, ConsumeMessage } from 'amqplib'
import { JobportError } from '@jobport/core/driver'
import { toLedgerError, within } from './faults.ts'
import { decodeBatch, type Decoded } from './wire.ts'
import type { Batch } from './entries.ts'

/** One message of the log as it was read. */
export interface LogRecord {
  readonly offset: number
  /** Absent: not ours. */
  readonly batch?: Batch
  /** Of a part. */
  readonly payload?: Buffer
  readonly bytes: number
}

export type From = number | 'first' | 'last'

export interface StreamOptions {
  /** What was appended in these bytes, if it was here. */
  readonly recognize: (content: Buffer) => Decoded | undefined
  readonly stream: string
  readonly open: () => Promise<ConfirmChannel>
  readonly retention: number
  readonly segment: number
}

/** Most that a stream call takes, ms. */
const DEADLINE = 5_000
const PREFETCH = 250
/** Well below the prefetch, else the reader starves. */
const ACK_EVERY = 50

/** One channel on the stream, for reading and appending. Dies as a whole: whatever happens to either ends it. */
export class Session {
  readonly ended: Promise<JobportError>
  /** Epoch ms at which something was read, or the reading began. */
  lastRead: number = Date.now()
  readonly #stream: string
  readonly #channel: ConfirmChannel
  readonly #recognize: StreamOptions['recognize']
  readonly #end: (error: JobportError) => void
  #over = false
  #unconfirmed = 0
  #drained: (() => void) | undefined
  #unacked = 0

  private constructor({ stream, recognize }: StreamOptions, channel: ConfirmChannel) {
    this.#stream = stream
    this.#recognize = recognize
    this.#channel = channel
    const { promise, resolve } = Promise.withResolvers<JobportError>()
    this.ended = promise
    this.#end = resolve
    channel.on('error', (error) => this.fail(error))
    channel.on('close', () => this.fail(new Error('the channel was closed')))
    channel.on('return', () => this.fail(new Error('the stream is gone')))
  }

  get isOver(): boolean {
    return this.#over
  }

  /** Declares the stream. Rejects with `UNAVAILABLE`, `ACCESS_DENIED`, or `SERVER_UNSUITABLE` if one of that name has other arguments. */
  static async open(options: StreamOptions): Promise<Session> {
    const { stream, open, retention, segment } = options
    const session = new Session(options, await openChannel(open, stream))
    const limits = { 'x-max-length-bytes': retention, 'x-stream-max-segment-size-bytes': segment }
    await session.#call('declare', (channel) =>
      channel.assertQueue(stream, { durable: true, arguments: { 'x-queue-type': 'stream', ...limits } }),
    )
    return session
  }

  /** Reads on from there, in order. Resolves once the broker serves the reader. */
  async follow(
    from: From,
    read: (record: LogRecord) => void,
    { prefetch = PREFETCH }: { prefetch?: number } = {},
  ): Promise<void> {
    await this.#call('prefetch', (channel) => channel.prefetch(prefetch))
    const receive = (message: ConsumeMessage | null): void => {
      if (this.#over) return
      if (!message) return this.fail(new Error('the stream is gone'))
      this.lastRead = Date.now()
      this.#attempt(() => read(toRecord(message, this.#recognize)))
      if (prefetch > ACK_EVERY && ++this.#unacked >= ACK_EVERY) this.#acknowledge(message)
    }
    await this.#call('consume', (channel) => channel.consume(this.#stream, receive, { arguments: { 'x-stream-offset': from } }))
    this.lastRead = Date.now()
  }

  /** Appends. Only reading it back says that it is there. */
  append(content: Buffer): void {
    if (this.#over) return
    this.#unconfirmed++
    this.#attempt(() => {
      this.#channel.sendToQueue(this.#stream, content, { persistent: true, mandatory: true }, (error: unknown) => {
        if (--this.#unconfirmed === 0) this.#drained?.()
        if (error) this.fail(new Error('the broker refused an entry', { cause: error }))
      })
    })
  }

  fail(error: unknown): void {
    if (this.#over) return
    this.#over = true
    this.#end(toLedgerError(error, this.#stream))
    this.#drained?.()
    closeQuietly(this.#channel)
  }

  /** Waits a little for what is unconfirmed: closing on it would take the connection down. */
  async close(): Promise<void> {
    const drained = new Promise<void>((resolve) => (this.#drained = resolve))
    if (this.#unconfirmed > 0 && !this.#over) await within(1_000, 'drain', drained).catch(() => undefined)
    this.fail(new JobportError('CLOSED', `ledger ${this.#stream} is closed`))
  }

  #acknowledge(message: ConsumeMessage): void {
    this.#unacked = 0
    if (!this.#over) this.#attempt(() => this.#channel.ack(message, true))
  }

  /** What throws inside a client callback would take the connection with it. */
  #attempt(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.fail(error)
    }
  }

  async #call<T>(what: string, call: (channel: ConfirmChannel) => Promise<T>): Promise<T> {
    try {
      const ended = this.ended.then((error) => Promise.reject(error))
      return await within(DEADLINE, `ledger ${this.#stream}: ${what}`, Promise.race([call(this.#channel), ended]))
    } catch (error) {
      this.fail(error)
      throw toLedgerError(error, this.#stream)
    }
  }
}

async function openChannel(open: () => Promise<ConfirmChannel>, stream: string): Promise<ConfirmChannel> {
  const opening = open()
  try {
    return await within(DEADLINE, `ledger ${stream}: open a channel`, opening)
  } catch (error) {
    opening.then(closeQuietly, () => undefined)
    throw toLedgerError(error, stream)
  }
}

function closeQuietly(channel: ConfirmChannel): void {
  // a channel that is closed already throws, one whose connection is gone rejects
  void (async () => channel.close())().catch(() => undefined)
}

function toRecord({ content, properties: { headers } }: ConsumeMessage, recognize: StreamOptions['recognize']): LogRecord {
  const offset: unknown = headers?.['x-stream-offset']
  if (typeof offset !== 'number') throw new JobportError('SERVER_UNSUITABLE', 'the ledger is no stream: a message has no offset')
  const { batch, payload } = recognize(content) ?? decodeBatch(content) ?? {}
  // headers and framing count towards the retention
  return { offset, bytes: content.length + 200, ...(batch && { batch }), ...(payload && { payload }) }
}
