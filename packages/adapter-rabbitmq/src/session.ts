import type { Channel, ConsumeMessage } from 'amqplib'
import { Acknowledgements } from './acknowledgements.ts'
import { Asides } from './asides.ts'
import { within } from './deadline.ts'
import { join, type Member } from './control.ts'
import { Patience } from './patience.ts'
import type { Link } from './link.ts'
import type { Names } from './names.ts'
import type { Publisher } from './publisher.ts'

export interface SessionOptions {
  readonly names: Names
  readonly prefetch: number
  readonly quorum: boolean
  readonly publisher: Publisher
  readonly member: Member
  /** Resolves once nobody removes the queue: to consume from it meanwhile takes the connection down. */
  readonly standing: () => Promise<void>
  readonly onMessage: (message: ConsumeMessage) => void
  /** Of {@link Session.lacks}. */
  readonly onLack: () => void
}

/** The longest that a job may run: RabbitMQ takes a job back from a consumer that holds it for longer, ms. */
const CONSUMER_TIMEOUT = 30 * 86_400_000
const CALL_DEADLINE = 5_000
const CLOSE_DEADLINE = 1_000
/** A consumer's priority: others are served first. */
const BEHIND_ALL = -1
/** An idle queue delivers nothing, ms. */
const SOON = 2

/** An acknowledgement of a job that was alone. */
interface Alone {
  readonly followed: () => void
  readonly flush: () => void
}

/** One life of a subscription, on channels of its own. What it delivered can be settled on it only, and is lost with it. */
export class Session {
  /** Resolves once it is over, whoever ended it. */
  readonly ended: Promise<void>
  readonly #options: SessionOptions
  readonly #end: () => void
  #work: Channel | undefined
  #control: Channel | undefined
  #tag: string | undefined
  readonly #spareTags: string[] = []
  #isOver = false
  #acks: Acknowledgements | undefined
  readonly #asides: Asides
  readonly #soon = new Patience<Alone>(SOON, ({ flush }) => flush())
  #alone: Alone | undefined
  #ending: Promise<void> | undefined
  #barrier: Promise<void> | undefined
  #nextBarrier: Promise<void> | undefined

  constructor(options: SessionOptions) {
    this.#options = options
    this.#asides = new Asides(() => this.isOpen && options.onLack())
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ended = promise
    this.#end = resolve
  }

  get isOpen(): boolean {
    return this.#work !== undefined && !this.#isOver
  }

  /** Makes the worker known. Rejects if that fails, and is then over. */
  async open(link: Link): Promise<void> {
    const { names, prefetch, publisher, member } = this.#options
    try {
      const enter = async (): Promise<void> => {
        this.#control = await this.#channel(link)
        await join(this.#control, names, publisher, member)
      }
      const prepare = async (): Promise<void> => {
        this.#work = await this.#channel(link)
        this.#acks = new Acknowledgements(this.#work)
        await within(CALL_DEADLINE, 'consuming', this.#work.prefetch(prefetch))
      }
      await Promise.all([enter(), prepare()])
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async subscribe(): Promise<void> {
    this.#tag ??= await this.#consume()
  }

  /** How many more subscriptions it takes to have the broker deliver as many as without the messages set aside. */
  get lacks(): number {
    return this.#asides.spares(this.#options.prefetch)
  }

  /** Further subscriptions: each has the broker deliver as many again, where no worker takes them otherwise. */
  async spare(wanted: number): Promise<void> {
    while (this.isOpen && this.#spareTags.length < wanted) {
      const tag = await this.#consume(BEHIND_ALL)
      if (tag === undefined) return
      this.#spareTags.push(tag)
    }
    while (this.isOpen && this.#spareTags.length > wanted) await this.#cancel(this.#spareTags.pop()!)
  }

  async #cancel(tag: string): Promise<void> {
    await within(CALL_DEADLINE, 'ending a subscription', this.#work!.cancel(tag))
  }

  async #consume(priority = 0): Promise<string | undefined> {
    const { names, quorum, standing, onMessage } = this.#options
    await standing()
    const work = this.#work
    if (!work || this.#isOver) return undefined
    const receive = (message: ConsumeMessage | null): void => {
      if (message) {
        this.#follow(message)
        this.#acks!.delivered(message)
        onMessage(message)
      }
      // the broker has ended the subscription and takes back what is out
      else void this.close()
    }
    const consuming = work.consume(names.work, receive, {
      ...(priority !== 0 && { priority }),
      ...(quorum && { arguments: { 'x-consumer-timeout': CONSUMER_TIMEOUT } }),
    })
    const { consumerTag } = await within(CALL_DEADLINE, 'consuming', consuming)
    return consumerTag
  }

  /** Nothing is delivered once it resolved. */
  async unsubscribe(): Promise<void> {
    await this.spare(0)
    const tag = this.#tag
    this.#tag = undefined
    if (tag !== undefined && this.isOpen) await this.#cancel(tag)
  }

  /** Both reject once the session is over, and resolve when the broker has read them. */
  ack(message: ConsumeMessage): Promise<void> {
    this.#acks?.add(message)
    return this.#isAlone(message) ? this.#followed() : this.flush()
  }

  async requeue(message: ConsumeMessage): Promise<void> {
    this.#work!.nack(message, false, true)
    this.#acks!.skip(message)
    await this.flush()
  }

  /** Back to its queue, as one crash more. */
  async reject(message: ConsumeMessage): Promise<void> {
    this.#work!.reject(message, true)
    this.#acks!.skip(message)
    await this.flush()
  }

  /** Jobs that were given up and have not gone back yet. */
  get lost(): number {
    return this.#asides.lost
  }

  /** Keeps it from its queue until then, as long as the session lasts, without holding up others. Never rejects. */
  setAside(message: ConsumeMessage, until: Promise<unknown>, how: 'requeue' | 'reject'): Promise<void> {
    return this.#asides.keep(message, Promise.race([until, this.ended]), {
      isLost: how === 'reject',
      giveBack: (kept) => (this.isOpen ? this[how](kept) : Promise.resolve()),
    })
  }

  /** Resolves once the broker has read all that was sent in this turn of the event loop and before; calls share round trips. */
  flush(): Promise<void> {
    this.#ending ??= endOfTurn().then(() => {
      this.#ending = undefined
      this.#acks!.send()
      if (!this.#barrier) return this.#ping()
      this.#nextBarrier ??= this.#barrier.then(() => {
        this.#nextBarrier = undefined
        return this.#ping()
      })
      return this.#nextBarrier
    })
    return this.#ending
  }

  /** Rejects if the broker does not answer, or no longer has the queue. */
  async pulse(): Promise<void> {
    if (this.isOpen) await within(CALL_DEADLINE, 'looking at the queue', this.#work!.checkQueue(this.#options.names.work))
  }

  /** Ends it; whatever is unsettled goes back, as a crash. */
  async close(): Promise<void> {
    if (this.#isOver) return
    this.#asides.end()
    try {
      this.#acks?.send()
    } catch {
      // its channel is closed, and what it brought goes back
    }
    this.#over()
    const channels = [this.#work, this.#control].filter((channel) => channel !== undefined)
    const closing = Promise.all(
      channels.map((channel) =>
        Promise.resolve()
          .then(() => channel.close())
          .catch(() => {}),
      ),
    )
    await within(CLOSE_DEADLINE, 'closing channels', closing).catch(() => {})
  }

  /** It is all that its subscription may have in hand: the broker delivers the next one only once it has read the acknowledgement. */
  #isAlone({ fields }: ConsumeMessage): boolean {
    return this.#options.prefetch === 1 && fields.consumerTag === this.#tag
  }

  #follow({ fields }: ConsumeMessage): void {
    const alone = this.#alone
    if (!alone || fields.consumerTag !== this.#tag) return
    this.#alone = undefined
    this.#soon.end(alone)
    alone.followed()
  }

  /** Resolves with the next delivery; if that is not soon, once the broker has answered. */
  #followed(): Promise<void> {
    return new Promise((resolve, reject) => {
      const alone: Alone = { followed: resolve, flush: () => void this.flush().then(resolve, reject) }
      this.#alone = alone
      this.#soon.watch(alone)
      try {
        this.#acks!.send()
      } catch {
        // says of what the channel died
        alone.flush()
      }
    })
  }

  #ping(): Promise<void> {
    const barrier: Promise<void> = this.#work!.prefetch(this.#options.prefetch)
      .then(() => {})
      .finally(() => {
        if (this.#barrier === barrier) this.#barrier = undefined
      })
    this.#barrier = barrier
    return barrier
  }

  async #channel(link: Link): Promise<Channel> {
    const channel = await link.channel()
    channel.once('close', () => void this.close())
    return channel
  }

  #over(): void {
    this.#isOver = true
    this.#end()
  }
}

function endOfTurn(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve))
}
