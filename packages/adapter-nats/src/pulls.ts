import { createInbox, type Msg, type Subscription } from '@nats-io/transport-node'
import { now, type Moment } from './lease-clock.ts'
import type { Client } from './client.ts'

/** How a request for jobs ended. `failed`: not by the consumer's word, and so the consumer may be gone. */
export type End = 'filled' | 'empty' | 'failed'

/** How much longer than agreed an answer may take, ms. */
const GRACE = 1_000
const NANOS = 1e6
const JS_EMPTY = [404, 408]

/** Requests for jobs that are under way. Each ends by its last job, by the server's word, or by its time. */
export class Pulls {
  /** Jobs that may still come. */
  asked = 0
  /** Epoch ms of the server's last word. */
  lastContact: number = Date.now()
  readonly #client: Client
  readonly #stream: string
  readonly #onJob: (job: Msg, askedAt: Moment) => void
  readonly #open = new Map<Pull, Promise<End>>()

  constructor(client: Client, stream: string, onJob: (job: Msg, askedAt: Moment) => void) {
    this.#client = client
    this.#stream = stream
    this.#onJob = onJob
  }

  /** Asks for up to `batch` jobs, for `expires` ms; 0: for those that wait now. */
  pull(consumer: string, batch: number, expires: number): Promise<End> {
    const { connection } = this.#client
    const inbox = createInbox()
    const pull = new Pull(batch, expires + GRACE, (message) => this.#told(pull, message))
    pull.subscription = connection.subscribe(inbox, {
      callback: (error, message) => (error ? pull.end('failed') : pull.told(message)),
    })
    this.asked += batch
    const ended = pull.ended.finally(() => {
      this.asked -= pull.left
      pull.subscription?.unsubscribe()
      this.#open.delete(pull)
    })
    this.#open.set(pull, ended)
    const wait = expires > 0 ? { expires: expires * NANOS } : { no_wait: true }
    connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${this.#stream}.${consumer}`, JSON.stringify({ batch, ...wait }), {
      reply: inbox,
    })
    return ended
  }

  /** Nothing more comes of those that are open: the connection that they were made on is gone. */
  abandon(): void {
    for (const pull of this.#open.keys()) pull.end('failed')
  }

  /** Resolves once none is open. */
  async none(): Promise<void> {
    while (this.#open.size > 0) await Promise.all(this.#open.values())
  }

  #told(pull: Pull, message: Msg): void {
    this.lastContact = Date.now()
    const code = message.headers?.code ?? 0
    if (message.reply) {
      pull.left--
      this.asked--
      this.#onJob(message, pull.askedAt)
      if (pull.left === 0) pull.end('filled')
    } else if (JS_EMPTY.includes(code)) pull.end('empty')
    else if (code >= 400) pull.end('failed')
  }
}

class Pull {
  left: number
  readonly askedAt: Moment = now()
  subscription: Subscription | undefined
  readonly ended: Promise<End>
  readonly told: (message: Msg) => void
  readonly #timer: NodeJS.Timeout
  readonly #end: (end: End) => void

  constructor(batch: number, deadline: number, told: (message: Msg) => void) {
    const { promise, resolve } = Promise.withResolvers<End>()
    this.left = batch
    this.told = told
    this.ended = promise
    this.#end = resolve
    this.#timer = setTimeout(() => this.end('failed'), deadline)
  }

  end(end: End): void {
    clearTimeout(this.#timer)
    this.#end(end)
  }
}

/** What the reply subject of a delivered job tells. */
export interface Arrival {
  readonly seq: number
  /** How often it was delivered, this time included. */
  readonly deliveries: number
  /** Epoch ms at which it was stored. */
  readonly time: number
}

/** `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<deliveries>.<sequence>.<…>.<time, ns>.<pending>[.<token>]` */
export function arrivalOf(reply: string): Arrival {
  const tokens = reply.split('.')
  const at = tokens.length > 9 ? 6 : 4
  return { deliveries: Number(tokens[at]), seq: Number(tokens[at + 1]), time: Math.floor(Number(tokens[at + 3]) / NANOS) }
}
