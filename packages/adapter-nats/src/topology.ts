import { JobportError } from '@jobport/core/driver'
import {
  AckPolicy,
  DiscardPolicy,
  RetentionPolicy,
  StorageType,
  type ConsumerConfig,
  type ConsumerInfo,
  type StreamConfig,
  type StreamInfo,
} from '@nats-io/jetstream'
import { CODES } from './faults.ts'
import type { Client } from './client.ts'
import type { Names } from './names.ts'

/** Requests for jobs that may wait at one consumer: more than any number of workers has. */
const MAX_WAITING = 100_000
/** A pause has no end on the server, only a time; ms. */
const FOREVER = 100 * 365 * 86_400_000
const NANOS = 1e6

type Flags = Pick<StreamConfig, 'allow_direct' | 'allow_msg_ttl' | 'allow_atomic' | 'allow_rollup_hdrs'> & {
  allow_msg_schedules?: boolean
}

const NEEDED = {
  allow_direct: true,
  allow_msg_ttl: true,
  allow_msg_schedules: true,
  allow_atomic: true,
  allow_rollup_hdrs: true,
} as const

/** Streams and consumers: one work-queue stream a queue, in it one consumer for each priority that was ever used. */
export class Topology {
  readonly #client: Client
  readonly #made = new Map<string, Promise<void>>()

  constructor(client: Client) {
    this.#client = client
  }

  /** Makes what a queue needs for jobs of this priority, once. */
  async ensure(names: Names, level = 0): Promise<void> {
    await this.#once(names.stream, () => this.#ensureStream(names))
    await this.#once(`${names.stream} 0`, () => this.#ensureConsumer(names, 0))
    if (level > 0) await this.#once(`${names.stream} ${level}`, () => this.#ensureConsumer(names, level))
  }

  /** Somebody has removed it. */
  forget({ stream }: Names): void {
    for (const key of this.#made.keys()) if (key === stream || key.startsWith(`${stream} `)) this.#made.delete(key)
  }

  /** The consumers that there are, by priority; none if there is no such queue. */
  async consumers({ stream }: Names): Promise<Map<number, ConsumerInfo>> {
    const infos = await orNone(this.#client.manager.consumers.list(stream).next())
    const levels = infos.flatMap((info): [number, ConsumerInfo][] =>
      /^w\d$/.test(info.name) ? [[Number(info.name.slice(1)), info]] : [],
    )
    return new Map(levels.toSorted(([a], [b]) => a - b))
  }

  /** The priority's consumer. */
  async consumer({ stream, consumer }: Names, level: number): Promise<ConsumerInfo | undefined> {
    return this.#client.manager.consumers.info(stream, consumer(level)).catch((error: unknown) => {
      if (isMissing(error)) return undefined
      throw error
    })
  }

  /** Holds for all priorities, also for one that comes into use at the same moment. */
  async pause(names: Names): Promise<void> {
    await this.ensure(names)
    const { consumers } = this.#client.manager
    const until = new Date(Date.now() + FOREVER)
    for (const level of [0, ...(await this.consumers(names)).keys()])
      await consumers.pause(names.stream, names.consumer(level), until)
  }

  async resume(names: Names): Promise<void> {
    const levels = await this.consumers(names)
    for (const level of levels.keys()) await this.#client.manager.consumers.resume(names.stream, names.consumer(level))
  }

  async drop(names: Names): Promise<void> {
    this.forget(names)
    await this.#client.manager.streams.delete(names.stream).catch((error: unknown) => {
      if (!isMissing(error)) throw error
    })
  }

  async #once(key: string, make: () => Promise<void>): Promise<void> {
    let made = this.#made.get(key)
    if (!made) {
      made = make()
      this.#made.set(key, made)
      made.catch(() => this.#made.delete(key))
    }
    return made
  }

  async #ensureStream(names: Names): Promise<void> {
    const { replicas } = this.#client.settings
    const { streams } = this.#client.manager
    const wanted = {
      name: names.stream,
      description: `Jobs of ${names.queue} (Jobport)`,
      subjects: [names.all],
      retention: RetentionPolicy.Workqueue,
      storage: StorageType.File,
      discard: DiscardPolicy.Old,
      num_replicas: replicas,
      ...NEEDED,
    }
    const info = await streams.add(wanted).catch(async (error: { code?: number }) => {
      if (error.code === CODES.streamDiffers) return streams.info(names.stream)
      if (error.code !== CODES.streamOverlaps) throw error
      throw new JobportError('SERVER_UNSUITABLE', `another stream takes ${names.all}: choose another 'prefix'`, { cause: error })
    })
    judge(info, names)
    if (info.config.num_replicas > 1) this.#client.replicated.add(names.stream)
  }

  /** One that is there is left alone, but for what the options say: an update would end a pause. */
  async #ensureConsumer(names: Names, level: number): Promise<void> {
    const { consumers } = this.#client.manager
    const ack_wait = this.#client.settings.ackWait * NANOS
    const found = await this.consumer(names, level)
    if (found?.config.ack_wait === ack_wait) return
    const first = level > 0 ? await this.consumer(names, 0) : undefined
    const pause_until = found?.config.pause_until ?? first?.config.pause_until
    await consumers.add(names.stream, {
      ...consumerOf(names, level),
      ack_wait,
      ...(pause_until !== undefined && { pause_until }),
    })
    if (level > 0 && !pause_until) await this.#followPause(names, level)
  }

  async #followPause(names: Names, level: number): Promise<void> {
    const until = (await this.consumer(names, 0))?.config.pause_until
    if (until) await this.#client.manager.consumers.pause(names.stream, names.consumer(level), new Date(until))
  }
}

function consumerOf(names: Names, level: number): ConsumerConfig {
  return {
    durable_name: names.consumer(level),
    filter_subject: names.waiting(level),
    ack_policy: AckPolicy.Explicit,
    max_deliver: -1,
    max_ack_pending: -1,
    max_waiting: MAX_WAITING,
  } as ConsumerConfig
}

/** Older servers pass over what they do not know; and a stream of that name may be somebody else's. */
function judge({ config }: StreamInfo, names: Names): void {
  const lacking = Object.keys(NEEDED).filter((flag) => (config as Flags)[flag as keyof Flags] !== true)
  const isOurs =
    config.retention === RetentionPolicy.Workqueue && config.subjects?.length === 1 && config.subjects[0] === names.all
  if (isOurs && lacking.length === 0 && !config.max_age) return
  const why = isOurs ? `lacks ${lacking.join(', ') || 'unlimited age'}` : 'is not of our making'
  throw new JobportError('SERVER_UNSUITABLE', `the stream ${config.name} ${why}: remove it, or choose another 'prefix'`)
}

export function isMissing(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return code === CODES.streamMissing || code === CODES.consumerMissing
}

async function orNone<T>(list: Promise<T[]>): Promise<T[]> {
  return list.catch((error: unknown) => {
    if (isMissing(error)) return []
    throw error
  })
}
