import { JobportError } from '@jobport/core/driver'
import { AckPolicy, type ConsumerConfig, type ConsumerInfo } from '@nats-io/jetstream'
import { CODES, isMissing } from './faults.ts'
import { Fresh } from './fresh.ts'
import { announce } from './presence.ts'
import { isOurs, streamOf } from './stream-rules.ts'
import { Watch } from './watch.ts'
import type { Client } from './client.ts'
import type { Names } from './names.ts'

/** Requests for jobs that may wait at one consumer: more than any number of workers has. */
const MAX_WAITING = 100_000
/** A pause has no end on the server, only a time; ms. */
const FOREVER = 100 * 365 * 86_400_000
const NANOS = 1e6
/** The lowest priority. */
const LEVELS = 9

/** Why a stream is refused that no other try will make. */
const REFUSED: Readonly<Record<number, string>> = {
  [CODES.streamOverlaps]: "another stream takes its subjects: choose another 'prefix'",
  [CODES.notClustered]: "a server that is no cluster keeps one copy: choose 'replicas: 1'",
  [CODES.maxBytesRequired]: 'the account demands max_bytes of each stream, and one that is full throws its oldest jobs away',
}

/** Streams and consumers: one work-queue stream a queue, in it one consumer for each priority that was ever used. */
export class Topology {
  readonly #client: Client
  readonly #watch: Watch
  readonly #made = new Map<string, Promise<void>>()
  /** By stream: the number of the job that this client stored last. */
  readonly #newest = new Map<string, number>()
  readonly #lists = new Map<string, Fresh<readonly ConsumerInfo[]>>()

  constructor(client: Client) {
    this.#client = client
    this.#watch = new Watch(client, ({ stream }) => this.#list(stream))
  }

  /** Makes what a queue needs for jobs of this priority, once. Rejects with `SERVER_UNSUITABLE` where jobs are not safe. */
  ensure(names: Names, level = 0): Promise<void> {
    return this.#unlessDropped(names, () => this.#ensure(names, level))
  }

  async #ensure(names: Names, level: number): Promise<void> {
    await this.#once(names.stream, () => this.#ensureStream(names))
    await this.#once(`${names.stream} 0`, () => this.#ensureConsumer(names, 0))
    if (level > 0) await this.#once(`${names.stream} ${level}`, () => this.#ensureConsumer(names, level))
    await this.#watch.use(names)
  }

  /** Once more, from the start, if another process has dropped the queue since it was made. */
  #unlessDropped<T>(names: Names, act: () => Promise<T>): Promise<T> {
    return act().catch((error: unknown) => {
      if (!isMissing(error)) throw error
      this.forget(names)
      return act()
    })
  }

  /**
   * A job was stored as number `seq`. A number that does not grow tells that the queue was dropped meanwhile and is there again. It may
   * lack the consumers that this client has made, and nobody would work the jobs of those priorities: they are made once more.
   */
  async stored(names: Names, seq: number): Promise<void> {
    const { stream } = names
    const isSame = seq > (this.#newest.get(stream) ?? 0)
    this.#newest.set(stream, seq)
    if (isSame) return
    const made = Array.from({ length: LEVELS + 1 }, (_, level) => level).filter((level) => this.#made.has(`${stream} ${level}`))
    this.forget(names)
    for (const level of made) await this.ensure(names, level)
  }

  /** Makes the consumers that are missing although jobs of their priority wait, for the same reason. */
  async repair(names: Names, hasJobs: (level: number) => Promise<boolean>): Promise<void> {
    const known = await this.consumers(names)
    for (let level = 1; level <= LEVELS; level++) {
      if (known.has(level) || !(await hasJobs(level))) continue
      this.forget(names)
      await this.ensure(names, level)
    }
  }

  /** Has the queue's stream looked at from time to time, for a while. */
  keepAnEyeOn(names: Names): void {
    this.#watch.use(names).catch(() => {})
  }

  /** Somebody has removed it. */
  forget(names: Names): void {
    const { stream } = names
    for (const key of this.#made.keys()) if (key === stream || key.startsWith(`${stream} `)) this.#made.delete(key)
    this.#lists.delete(stream)
    this.#watch.forget(names)
  }

  /** The consumers that there are, by priority; none if there is no such queue. */
  async consumers({ stream }: Names): Promise<Map<number, ConsumerInfo>> {
    const infos = await this.#list(stream)
    const levels = infos.flatMap((info): [number, ConsumerInfo][] =>
      isOurs(info.name) ? [[Number(info.name.slice(1)), info]] : [],
    )
    return new Map(levels.toSorted(([a], [b]) => a - b))
  }

  /** The priority's consumer. */
  async consumer({ stream, consumer }: Names, level: number): Promise<ConsumerInfo | undefined> {
    return this.#client.call<ConsumerInfo>(`$JS.API.CONSUMER.INFO.${stream}.${consumer(level)}`).catch((error: unknown) => {
      if (isMissing(error)) return undefined
      throw error
    })
  }

  /** Holds for all priorities, also for one that comes into use at the same moment. */
  pause(names: Names): Promise<void> {
    return this.#unlessDropped(names, () => this.#pause(names))
  }

  async #pause(names: Names): Promise<void> {
    await this.#ensure(names, 0)
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

  #list(stream: string): Promise<readonly ConsumerInfo[]> {
    let list = this.#lists.get(stream)
    if (!list) this.#lists.set(stream, (list = new Fresh(() => this.#askForList(stream))))
    return list.look()
  }

  async #askForList(stream: string): Promise<readonly ConsumerInfo[]> {
    try {
      const list = await this.#client.call<{ consumers?: ConsumerInfo[] }>(`$JS.API.CONSUMER.LIST.${stream}`, '{"offset":0}')
      return list.consumers ?? []
    } catch (error) {
      if (isMissing(error)) return []
      throw error
    }
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
    const { streams } = this.#client.manager
    const wanted = streamOf(names, this.#client.settings.replicas)
    const info = await streams.add(wanted).catch(async (error: { code?: number; message: string }) => {
      if (error.code === CODES.streamDiffers) return streams.info(names.stream)
      const why = REFUSED[error.code ?? 0]
      if (why === undefined) throw error
      throw new JobportError('SERVER_UNSUITABLE', `${names.stream} cannot be made: ${why}`, { cause: error })
    })
    this.#watch.judge(names, info)
  }

  async #ensureConsumer(names: Names, level: number): Promise<void> {
    const found = await this.consumer(names, level)
    if (found) return this.#align(names, found)
    const pause_until = level > 0 ? (await this.consumer(names, 0))?.config.pause_until : undefined
    try {
      await this.#client.manager.consumers.add(names.stream, {
        ...consumerOf(names, level),
        ack_wait: this.#ackWait,
        ...(pause_until !== undefined && { pause_until }),
      })
    } catch (error) {
      if ((error as { code?: number }).code !== CODES.consumerExists) throw error
      const made = await this.consumer(names, level)
      if (made) return this.#align(names, made)
    }
    if (level > 0 && !pause_until) await this.#followPause(names, level)
    if (level > 0) announce(this.#client, names)
  }

  /** One that is there is left alone, but for what the options say. */
  async #align({ stream }: Names, { name, config }: ConsumerInfo): Promise<void> {
    if (config.ack_wait === this.#ackWait) return
    await this.#client.manager.consumers.update(stream, name, { ack_wait: this.#ackWait })
    const [was, is] = [config.ack_wait! / NANOS, this.#client.settings.ackWait]
    const text = `leases of ${stream} (${name}) lasted ${was} ms and last ${is} ms now: give all workers the same 'ackWait'`
    this.#client.report(new JobportError('INVALID_CONFIG', text))
  }

  get #ackWait(): number {
    return this.#client.settings.ackWait * NANOS
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
