import { JobportError } from '@jobport/core/driver'
import type { ConsumerInfo, StreamInfo } from '@nats-io/jetstream'
import { isMissing } from './faults.ts'
import { configFaults, consumerFaults, isOurs } from './stream-rules.ts'
import type { Client } from './client.ts'
import type { Names } from './names.ts'

/** ms between two looks at a stream that is in use. */
const INTERVAL = 2_000
/** Streams that are looked at then, so that a thousand cost no more. */
const AT_A_TIME = 100
/** A stream that was not looked at for this long is looked at before it is used, ms. */
const STALE = 3_000
/** The same for one that was not safe, and may have been mended. */
const AGAIN = 250
/** A stream that nobody has used for this long is not looked at, ms. */
const IDLE = 60_000

const NANOS = 1e6

interface Watched {
  readonly names: Names
  usedAt: number
  lookedAt: number
  /** Why jobs are not safe in it. */
  fault: JobportError | undefined
  /** What was told of it that is no reason to refuse it. */
  readonly told: Set<string>
  looking: Promise<void> | undefined
}

/** Looks at the streams in use, as an operator may change them at any time: what is no longer safe is told, and refused. */
export class Watch {
  readonly #client: Client
  readonly #consumers: (names: Names) => Promise<readonly ConsumerInfo[]>
  readonly #watched = new Map<string, Watched>()
  #isStarted = false
  #isLooking = false

  constructor(client: Client, consumers: (names: Names) => Promise<readonly ConsumerInfo[]>) {
    this.#client = client
    this.#consumers = consumers
  }

  /** Before a stream is used. Rejects with `SERVER_UNSUITABLE` if jobs are not safe in it. */
  async use(names: Names): Promise<void> {
    const watched = this.#of(names)
    watched.usedAt = Date.now()
    if (watched.usedAt - watched.lookedAt > (watched.fault ? AGAIN : STALE)) await this.#look(watched)
    if (watched.fault) throw watched.fault
  }

  /** What has just been made, or found. Throws `SERVER_UNSUITABLE`. */
  judge(names: Names, { config }: StreamInfo): void {
    const watched = this.#of(names)
    this.#compare(watched, config.num_replicas)
    const fault = this.#faultOf(names, configFaults(config, names, this.#client.maxPayload))
    if (fault) throw fault
  }

  forget({ stream }: Names): void {
    this.#watched.delete(stream)
  }

  #of(names: Names): Watched {
    const found = this.#watched.get(names.stream)
    if (found) return found
    if (!this.#isStarted) this.#client.every(INTERVAL, () => void this.#lookAround())
    this.#isStarted = true
    const made: Watched = { names, usedAt: Date.now(), lookedAt: 0, fault: undefined, told: new Set(), looking: undefined }
    this.#watched.set(names.stream, made)
    return made
  }

  /** One after the other: there may be many. */
  async #lookAround(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    const oldest = [...this.#watched.values()].toSorted((a, b) => a.lookedAt - b.lookedAt).slice(0, AT_A_TIME)
    for (const watched of oldest) {
      if (Date.now() - watched.usedAt > IDLE) this.#watched.delete(watched.names.stream)
      else await this.#look(watched).catch(() => {})
    }
    this.#isLooking = false
  }

  #look(watched: Watched): Promise<void> {
    watched.looking ??= this.#inspect(watched).finally(() => (watched.looking = undefined))
    return watched.looking
  }

  async #inspect(watched: Watched): Promise<void> {
    const { names } = watched
    try {
      const { config } = await this.#client.call<StreamInfo>(`$JS.API.STREAM.INFO.${names.stream}`)
      const consumers = await this.#consumers(names)
      this.#compare(watched, config.num_replicas)
      this.#compareLeases(watched, consumers)
      const faults = [...configFaults(config, names, this.#client.maxPayload), ...consumerFaults(consumers)]
      const fault = this.#faultOf(names, faults)
      if (fault && fault.message !== watched.fault?.message) this.#client.report(fault)
      watched.fault = fault
    } catch (error) {
      // removed: its next user makes it again
      if (!isMissing(error)) throw error
      watched.fault = undefined
    }
    watched.lookedAt = Date.now()
  }

  /** Decisions about a stream of several copies are asked of its leader. */
  #compare(watched: Watched, copies: number): void {
    const { replicated, settings } = this.#client
    const { stream } = watched.names
    if (copies > 1) replicated.add(stream)
    else replicated.delete(stream)
    const why = `the stream ${stream} has ${copies} of the ${settings.replicas} copies that 'replicas' asks for`
    this.#tell(watched, 'copies', copies < settings.replicas && new JobportError('SERVER_UNSUITABLE', why))
  }

  /** Leases are as long as the last who said so wanted them. */
  #compareLeases(watched: Watched, consumers: readonly ConsumerInfo[]): void {
    const { ackWait } = this.#client.settings
    const other = consumers.find(({ name, config }) => isOurs(name) && config.ack_wait !== ackWait * NANOS)
    const why = `leases of ${watched.names.stream} last ${(other?.config.ack_wait ?? 0) / NANOS} ms, not ${ackWait}: give all workers the same 'ackWait'`
    this.#tell(watched, 'leases', other !== undefined && new JobportError('INVALID_CONFIG', why))
  }

  /** Once, until it is no longer so. */
  #tell({ told }: Watched, what: string, error: JobportError | false): void {
    if (!error) told.delete(what)
    else if (!told.has(what)) this.#client.report(error)
    if (error) told.add(what)
  }

  #faultOf({ stream }: Names, faults: readonly string[]): JobportError | undefined {
    if (faults.length === 0) return undefined
    return new JobportError(
      'SERVER_UNSUITABLE',
      `the stream ${stream} ${faults.join(', ')}: mend or remove it, or choose another 'prefix'`,
    )
  }
}
