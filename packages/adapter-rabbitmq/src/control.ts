import { JobportError } from '@jobport/core/driver'
import { randomUUID } from 'node:crypto'
import type { Channel } from 'amqplib'
import { within } from './deadline.ts'
import { toJobportError } from './faults.ts'
import { tally } from './tally.ts'
import type { Calls } from './calls.ts'
import type { Link } from './link.ts'
import type { Names } from './names.ts'
import type { Publisher } from './publisher.ts'

/** What workers can be asked. */
export type Question = 'state' | 'pause' | 'resume'

/** What a worker answers. */
export interface Reply {
  /** Its process. */
  readonly process: string
  /** Whether it takes jobs, or would if the queue were not paused. */
  readonly consuming: boolean
  /** Jobs that it runs, or has given up and not handed back yet. */
  readonly active: number
  /** Jobs that were delivered to it and wait for a slot. Absent: an earlier version of this adapter, which does not tell. */
  readonly ahead?: number
}

export interface Member {
  /** Its answer is sent once this resolves. */
  answer(question: Question): Promise<Reply>
}

export const PROCESS: string = randomUUID()

/** ms that workers get to answer. One that is gone counts as a worker until the broker misses its heartbeats. */
const ANSWER_DEADLINE = 1_000
const OBEY_DEADLINE = 5_000
const JOIN_DEADLINE = 5_000

/** Makes a worker known and lets it be asked. Ends with the channel, which it closes once the queue is deleted. */
export async function join(channel: Channel, { control, members }: Names, publisher: Publisher, member: Member): Promise<void> {
  const mailbox = `${control}.${randomUUID()}`
  const reply = async (question: Question, to: string): Promise<void> => {
    const content = Buffer.from(JSON.stringify(await member.answer(question)))
    await publisher.send({ exchange: '', key: to }, { content, properties: { persistent: false }, copy: '' })
  }
  const leave = (): void =>
    void Promise.resolve()
      .then(() => channel.close())
      .catch(() => {})
  const enter = async (): Promise<void> => {
    await channel.assertQueue(mailbox, { exclusive: true, autoDelete: true })
    await channel.bindQueue(mailbox, control, '')
    const listen = (message: { content: Buffer; properties: { replyTo: unknown } } | null): void => {
      if (message) void reply(message.content.toString() as Question, String(message.properties.replyTo)).catch(() => {})
      else leave()
    }
    await channel.consume(mailbox, listen, { noAck: true })
    // it holds nothing: all that can come is that it was deleted
    await channel.consume(members, leave, { noAck: true })
  }
  await within(JOIN_DEADLINE, 'joining the workers', enter())
}

/** What workers answered; `silent`: how many did not in time. */
interface Answers {
  readonly replies: readonly Reply[]
  readonly silent: number
}

/** Asks all workers of queues; every question has a channel of its own. */
export class Control {
  readonly #link: Link
  readonly #calls: Calls
  readonly #marks: Record<string, unknown>
  /** By queue: the question that is being asked, and the one that comes after it. */
  readonly #asking = new Map<string, Promise<unknown>>()
  readonly #next = new Map<string, Promise<Answers>>()

  /** `marks`: arguments of the queue whose existence is the pause. */
  constructor(link: Link, calls: Calls, marks: Record<string, unknown>) {
    this.#link = link
    this.#calls = calls
    this.#marks = marks
  }

  async isPaused({ paused }: Names): Promise<boolean> {
    return (await this.#calls.find('looking for the pause', (channel) => channel.checkQueue(paused))) !== undefined
  }

  /** Resolves once no worker takes jobs any more. */
  async pause(names: Names): Promise<void> {
    const mark = { durable: true, arguments: this.#marks }
    await this.#calls.run('pausing', (channel) => channel.assertQueue(names.paused, mark))
    await this.#order(names, 'pause')
  }

  async resume(names: Names): Promise<void> {
    await this.#calls.run('resuming', (channel) => channel.deleteQueue(names.paused))
    await this.#order(names, 'resume')
  }

  /** How the workers are. All who ask while others wait for an answer share the next one: it is no older than their question. */
  state(names: Names): Promise<Answers> {
    const { control } = names
    const next = this.#next.get(control)
    if (next) return next
    const before = this.#asking.get(control)
    if (!before) return this.#current(names)
    const waiting = before.then(() => {
      this.#next.delete(control)
      return this.#current(names)
    })
    this.#next.set(control, waiting)
    return waiting
  }

  #current(names: Names): Promise<Answers> {
    const { control } = names
    const asking = this.#ask(names, 'state', ANSWER_DEADLINE)
    const ended = asking.then(
      () => this.#asking.delete(control),
      () => this.#asking.delete(control),
    )
    this.#asking.set(control, ended)
    return asking
  }

  /** Of those who were asked, how many are still there and have not answered. */
  async #silent({ members }: Names, asked: number, answered: number): Promise<number> {
    const left = await this.#calls.find('counting workers', (channel) => tally(channel, members))
    return Math.max(0, Math.min(asked, left?.consumerCount ?? 0) - answered)
  }

  async #ask(names: Names, question: Question, deadline: number): Promise<Answers> {
    const members = await this.#calls.find('counting workers', (channel) => tally(channel, names.members))
    const wanted = members?.consumerCount ?? 0
    if (wanted === 0) return { replies: [], silent: 0 }
    const channel = await this.#link.channel()
    try {
      const replies = await collect(channel, names.control, question, wanted, deadline)
      return { replies, silent: replies.length < wanted ? await this.#silent(names, wanted, replies.length) : 0 }
    } catch (error) {
      throw toJobportError(error, 'asking workers')
    } finally {
      await within(
        1_000,
        'closing a channel',
        Promise.resolve().then(() => channel.close()),
      ).catch(() => {})
    }
  }

  async #order(names: Names, question: Question): Promise<void> {
    const { silent } = await this.#ask(names, question, OBEY_DEADLINE)
    if (silent > 0) throw new JobportError('UNAVAILABLE', `${silent} workers did not answer within ${OBEY_DEADLINE} ms`)
  }
}

async function collect(
  channel: Channel,
  control: string,
  question: Question,
  wanted: number,
  deadline: number,
): Promise<Reply[]> {
  const replies: Reply[] = []
  const { promise: all, resolve, reject } = Promise.withResolvers<void>()
  channel.once('close', () => reject(new JobportError('UNAVAILABLE', 'the channel was closed')))
  all.catch(() => {})
  const timer = setTimeout(resolve, deadline)
  try {
    const onReply = (message: { content: Buffer } | null): void => {
      if (!message) return
      replies.push(JSON.parse(message.content.toString()) as Reply)
      if (replies.length >= wanted) resolve()
    }
    await within(deadline, 'asking workers', channel.consume('amq.rabbitmq.reply-to', onReply, { noAck: true }))
    channel.publish(control, '', Buffer.from(question), { replyTo: 'amq.rabbitmq.reply-to' })
    await all
    return replies
  } finally {
    clearTimeout(timer)
  }
}
