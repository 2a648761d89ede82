import { JobportError, type Consumer, type Delivery } from '@jobport/core/driver'
import type { ConsumeMessage } from 'amqplib'
import { setTimeout as pause } from 'node:timers/promises'
import { PROCESS, type Control, type Question, type Reply } from './control.ts'
import { within } from './deadline.ts'
import { toJobportError } from './faults.ts'
import { fromWire } from './mapping.ts'
import { Session } from './session.ts'
import { Slots } from './slots.ts'
import type { LeasedJob } from './leased-job.ts'
import type { InHand } from './plain-steps.ts'
import type { Link } from './link.ts'
import type { Publisher } from './publisher.ts'
import type { Topology } from './topology.ts'

export interface ConsumerOptions {
  readonly queue: string
  readonly prefetch: number
  readonly quorum: boolean
  readonly link: Link
  readonly publisher: Publisher
  readonly topology: Topology
  readonly control: Control
  /** Makes the delivery of a message, or deals with it otherwise and answers nothing. */
  readonly lease: (hand: InHand) => LeasedJob | Promise<LeasedJob | undefined>
  readonly deliver: (delivery: Delivery) => void
  readonly onError: (error: Error) => void
  readonly onEnd: () => void
}

/** ms. */
const PULSE = 4_000
const SHORTEST_WAIT = 100
const LONGEST_WAIT = 1_000
const REMOVAL = 200
const START_DEADLINE = 7_000
const RETURN_DEADLINE = 2_500

interface Arrival {
  readonly session: Session
  readonly raw: ConsumeMessage
}

/** A subscription that outlives its sessions with the broker. */
export class RabbitMQConsumer implements Consumer {
  lastContact: number = Date.now()
  readonly #options: ConsumerOptions
  readonly #held = new Map<LeasedJob, Session>()
  readonly #arriving = new Set<Promise<unknown>>()
  readonly #closing = new AbortController()
  readonly #pulse: NodeJS.Timeout
  readonly #slots: Slots<Arrival>
  #session: Session | undefined
  #paused = false
  #stopped = false
  #closed: Promise<void> | undefined
  #switching: Promise<void> = Promise.resolve()

  constructor(options: ConsumerOptions) {
    this.#options = options
    this.#slots = new Slots({
      most: options.prefetch,
      begin: (arrival) => this.#arrive(arrival),
      giveUp: (arrival) => void handBack(arrival),
      onChange: () => this.#adapt(),
    })
    this.#pulse = setInterval(() => void this.#beat(), PULSE).unref()
  }

  /** Begins. Rejects with a typed error, and is then closed. */
  async start(): Promise<void> {
    try {
      const session = await within(START_DEADLINE, 'consuming', this.#open())
      this.lastContact = Date.now()
      void this.#keep(session)
    } catch (error) {
      await this.close()
      throw toJobportError(error, 'consuming')
    }
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    await this.#unsubscribe()
    await Promise.all(this.#arriving)
    this.#retire()
  }

  /** Hands everything back. Ends within 4 s whatever the broker does. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#pulse)
    this.#closing.abort()
    const handBack = async (): Promise<void> => {
      await this.#unsubscribe()
      await Promise.all(this.#arriving)
      await Promise.all([...this.#held.keys()].map((job) => job.giveBack()))
    }
    await within(RETURN_DEADLINE, 'handing jobs back', handBack()).catch((error: Error) => this.#report(error))
    await this.#session?.close()
    this.#options.onEnd()
  }

  /** One session after the other, until closed. */
  async #keep(first: Session): Promise<void> {
    const { signal } = this.#closing
    let session: Session | undefined = first
    for (let wait = SHORTEST_WAIT; !signal.aborted; ) {
      if (session) {
        await session.ended
        this.#lose(session)
        this.#options.topology.forget(this.#options.queue)
        // the queue is being removed: to declare it amid that takes the broker's connection down
        if (this.#options.link.isConnected) await pause(REMOVAL, undefined, { signal, ref: false }).catch(() => {})
        wait = SHORTEST_WAIT
      }
      if (signal.aborted || this.#stopped) return this.#retire()
      session = await this.#tryOpen()
      if (session || signal.aborted) continue
      await pause(wait, undefined, { signal, ref: false }).catch(() => {})
      wait = Math.min(wait * 2, LONGEST_WAIT)
    }
  }

  async #tryOpen(): Promise<Session | undefined> {
    try {
      return await this.#open()
    } catch (error) {
      this.#report(error as Error)
      return undefined
    }
  }

  async #open(): Promise<Session> {
    const { queue, link, topology, control, prefetch, quorum, publisher } = this.#options
    const names = topology.names(queue)
    if (!link.isConnected) throw new JobportError('UNAVAILABLE', 'the broker is not connected')
    await Promise.all([topology.ensure(queue), topology.ensureControl(queue)])
    const session: Session = new Session({
      names,
      prefetch,
      quorum,
      publisher,
      standing: () => topology.standing(queue),
      member: { answer: (question) => this.#answer(session, question) },
      onMessage: (raw) => this.#meet({ session, raw }),
      onLack: () => this.#adapt(),
    })
    try {
      this.#session = session
      await session.open(link)
      this.#paused = await control.isPaused(names)
      await this.#switch()
      if (this.#closing.signal.aborted) throw new JobportError('CLOSED', 'the consumer is closed')
      return session
    } catch (error) {
      topology.forget(queue)
      await session.close()
      throw error
    }
  }

  #meet(arrival: Arrival): void {
    this.lastContact = Date.now()
    this.#slots.enter(arrival)
  }

  #arrive(arrival: Arrival): void {
    const taking = this.#take(arrival)
    if (!taking) return
    const here = (isHeld: boolean): void => {
      this.#arriving.delete(arriving)
      if (!isHeld) this.#slots.leave({ lingers: false })
    }
    const arriving: Promise<unknown> = taking.then(here, (error: Error) => {
      this.#report(error)
      here(false)
    })
    this.#arriving.add(arriving)
  }

  /** Answers whether it is held now; nothing if it is, and that is all. */
  #take({ session, raw }: Arrival): Promise<boolean> | undefined {
    if (!session.isOpen) return Promise.resolve(false)
    if (this.#stopped || this.#paused) return session.requeue(raw).then(() => false)
    const job = this.#options.lease({ queue: this.#options.queue, raw, reading: fromWire(raw), session })
    if (!(job instanceof Promise)) return this.#receive(session, job, { lingers: false })
    return job.then((leased) => (leased ? (this.#receive(session, leased, { lingers: true }) ?? true) : false))
  }

  #receive(session: Session, job: LeasedJob, how: { lingers: boolean }): Promise<boolean> | undefined {
    job.onFree(() => this.#slots.leave(how))
    if (!session.isOpen) {
      job.lose()
      return undefined
    }
    this.#held.set(job, session)
    job.onEnd(() => {
      this.#held.delete(job)
      this.#retire()
    })
    if (this.#stopped || this.#paused) return job.giveBack().then(() => true)
    this.#options.deliver(job)
    return undefined
  }

  async #answer(session: Session, question: Question): Promise<Reply> {
    if (question !== 'state') {
      this.#paused = question === 'pause'
      await this.#switch()
      await Promise.all(this.#arriving)
    }
    const active = [...this.#held.values()].filter((its) => its === session).length
    return { process: PROCESS, consuming: !this.#stopped, active: active + session.lost, ahead: this.#slots.waiting }
  }

  /** Takes jobs or takes none, as it should now; one change after the other. */
  #switch(): Promise<void> {
    const change = this.#switching.then(async () => {
      const session = this.#session
      if (!session?.isOpen) return
      if (!this.#paused && !this.#stopped) {
        await session.subscribe()
        return session.spare(session.lacks + (this.#slots.isAhead ? 1 : 0))
      }
      await session.unsubscribe()
      await Promise.all(this.#slots.clear().map(handBack))
    })
    this.#switching = change.catch(() => {})
    return change
  }

  #adapt(): void {
    this.#switch().catch((error: Error) => this.#report(error))
  }

  async #unsubscribe(): Promise<void> {
    try {
      await this.#switch()
    } catch (error) {
      // whatever it would still deliver goes back with it
      await this.#session?.close()
      this.#report(error as Error)
    }
  }

  #lose(session: Session): void {
    for (const [job, its] of this.#held) if (its === session) job.lose()
  }

  /** Once stopped, the session is needed only for the jobs in hand. */
  #retire(): void {
    if (this.#stopped && this.#held.size === 0 && this.#arriving.size === 0) void this.close()
  }

  async #beat(): Promise<void> {
    const session = this.#session
    if (!session?.isOpen) return
    try {
      await session.pulse()
      if (session.isOpen) this.lastContact = Date.now()
      if (this.#paused) await this.#look(session)
    } catch (error) {
      this.#options.topology.forget(this.#options.queue)
      this.#report(error as Error)
      await session.close()
    }
  }

  /** A word to go on may have been missed. */
  async #look(session: Session): Promise<void> {
    const { control, topology, queue } = this.#options
    const paused = await control.isPaused(topology.names(queue))
    if (session !== this.#session || paused === this.#paused) return
    this.#paused = paused
    await this.#switch()
  }

  /** A lease lost is told by the delivery itself; a connection lost, by the driver. */
  #report(error: Error): void {
    if (this.#closing.signal.aborted) return
    const told = toJobportError(error, 'a worker')
    if (told.code !== 'UNAVAILABLE' && told.code !== 'LEASE_LOST') this.#options.onError(told)
  }
}

/** It was not looked at. Never rejects. */
async function handBack({ session, raw }: Arrival): Promise<void> {
  if (session.isOpen) await session.requeue(raw).catch(() => {})
}
