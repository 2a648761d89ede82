import { setTimeout as sleep } from 'node:timers/promises'
import { JobportError } from '@jobport/core/driver'
import { onAbort } from '../on-abort.ts'
import { toLedgerError, within } from './faults.ts'
import { Follower, type Folded } from './follower.ts'
import { Outbox, type Item, type Sender } from './outbox.ts'
import { Patience } from '../patience.ts'
import { Pending, type PendingOptions } from './pending.ts'
import { Snapshots } from './snapshots.ts'
import { take } from './take.ts'
import { View } from './view.ts'
import { Waits } from './waits.ts'
import type { AppendOptions, InHand, LedgerApi, LedgerListener, LedgerOptions, StateView, TakeOptions, Verdict } from './api.ts'
import type { AnswerTo, Claim, Entry, Start } from './entries.ts'
import type { Fate } from './records.ts'
import type { Session } from './session.ts'
import type { Decoded } from './wire.ts'

/** Characters of a claim's body. */
export const MOST_BODY: number = 4 * 1_048_576
/** Longest wait for an answer, ms, unless the caller says otherwise. */
const PATIENCE = 10_000
/** Nothing was read for so long although something was sent, ms: the session is lost. */
const SILENCE = 3_000

/** See {@link LedgerApi}. */
export class Ledger implements LedgerApi {
  readonly state: StateView
  readonly #stream: string
  readonly #retention: number
  readonly #listener: LedgerListener
  readonly #follower: Follower
  readonly #outbox = new Outbox()
  readonly #waits = new Waits()
  readonly #patience = new Patience<Item>(PATIENCE, (item) => this.#giveUp(item))
  readonly #snapshots: Snapshots
  readonly #closing = new AbortController()
  #session: Session | undefined
  #started: Promise<void> | undefined
  #following: Promise<void> | undefined
  #epoch = ''

  constructor(options: LedgerOptions) {
    const {
      stream,
      open,
      retention = 256 * 1_048_576,
      segment = 8_000_000,
      memory = 100_000,
      snapshotEvery = 50_000,
      listener,
    } = options
    this.#stream = stream
    this.#retention = retention
    this.#listener = listener
    const recognize = (content: Buffer): Decoded | undefined => this.#outbox.recognize(content)
    const following = { stream, open, retention, segment, memory, recognize }
    this.#follower = new Follower(following, (folded) => this.#afterFold(folded))
    this.#snapshots = new Snapshots(this.#snapshotLog(), snapshotEvery, retention / 8)
    this.state = new View(() => this.#follower.state)
  }

  get epoch(): string {
    return this.#follower.state.head.epoch
  }

  get seen(): number {
    return this.#follower.state.head.count
  }

  async start(): Promise<void> {
    if (this.#closing.signal.aborted) throw this.#closed()
    this.#started ??= this.#begin()
    await this.#started
  }

  async #begin(): Promise<void> {
    try {
      const session = await this.#connect(Date.now() + PATIENCE)
      this.#following = this.#follow(session)
    } catch (error) {
      this.#started = undefined
      throw error
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#outbox.suspend()
    this.#outbox.fail(this.#closed())
    await this.#session?.close()
    // one that is just connecting ends by itself
    await within(500, 'close', Promise.resolve(this.#following)).catch(() => undefined)
  }

  append<E extends Entry>(entry: E, options: AppendOptions = {}): Promise<AnswerTo<E>> {
    return this.#append(entry, options, (answer) => answer as AnswerTo<E>)
  }

  async sync(options: AppendOptions = {}): Promise<void> {
    await this.append({ type: 'probe', id: '' }, options)
  }

  isFree(id: string): boolean {
    const { holders, windows } = this.#follower.state
    return !holders.has(id) && !windows.has(id)
  }

  taken(id: string, options: AppendOptions = {}): Promise<string | undefined> | undefined {
    if (this.isFree(id)) return undefined
    return this.append({ type: 'probe', id }, options).then((answer) => (answer.status === 'taken' ? answer.uid : undefined))
  }

  take(delivery: InHand, options: TakeOptions): Promise<Verdict> {
    const start = (entry: Start): Promise<{ answer: AnswerTo<Start>; age: number }> =>
      this.#append(entry, options, (answer, age) => ({ answer: answer as AnswerTo<Start>, age }))
    return take({ ledger: this, start }, delivery, options)
  }

  async left(uid: string, ms: number = PATIENCE): Promise<void> {
    await this.until(uid, (fate) => fate?.kind !== 'live' || fate.run === undefined, ms)
  }

  watch(uid: string, seen: () => boolean): void {
    this.#waits.watch(uid, seen)
  }

  until(uid: string, settled: (fate: Fate | undefined) => boolean, ms: number): Promise<boolean> {
    return this.#waits.until(uid, () => settled(this.state.fate(uid)), ms)
  }

  #append<T>(
    entry: Entry,
    { signal, ...how }: AppendOptions & Pick<PendingOptions<T>, 'payload' | 'folded'>,
    told: PendingOptions<T>['told'],
  ): Promise<T> {
    if (this.#closing.signal.aborted) return Promise.reject(this.#closed())
    const refusal = entry.type === 'claim' ? this.#refusal(entry) : undefined
    if (refusal) return Promise.reject(refusal)
    const over = (pending: Item): void => {
      this.#patience.end(pending)
      heard?.()
    }
    const item = new Pending(entry, { ...how, told, over })
    if (!signal) this.#patience.watch(item)
    const heard = signal && onAbort(signal, () => this.#giveUp(item))
    this.#outbox.add(item)
    if (signal?.aborted) this.#giveUp(item)
    return item.answer
  }

  #giveUp(item: Item): void {
    const what = `ledger ${this.#stream}: ${item.entry.type}`
    if (this.#outbox.retract(item)) item.fail(new JobportError('UNAVAILABLE', `${what} was not appended in time`))
    // a question changes nothing
    else if (item.entry.type === 'probe') item.fail(new JobportError('UNAVAILABLE', `${what} was not answered in time`))
    else item.fail(new JobportError('UNCONFIRMED', `${what} was not read back in time`))
  }

  /** Tries again while the broker cannot be reached, which it says of a stream just after its restart, too. */
  async #connect(deadline: number): Promise<Session> {
    for (let wait = 50; ; wait = Math.min(1_000, wait * 2)) {
      try {
        const session = await this.#follower.connect()
        if (!this.#closing.signal.aborted) return session
        await session.close()
      } catch (error) {
        const known = toLedgerError(error, this.#stream)
        if (known.code !== 'UNAVAILABLE' || Date.now() > deadline) throw known
      }
      if (this.#closing.signal.aborted) throw this.#closed()
      await sleep(wait, undefined, { signal: this.#closing.signal }).catch(() => undefined)
    }
  }

  /** Serves one session after the other until closed, or until the log cannot be understood. */
  async #follow(first: Session): Promise<void> {
    for (let session = first; ; ) {
      const ended = await this.#serve(session)
      this.#outbox.suspend()
      this.#session = undefined
      if (this.#closing.signal.aborted) return
      this.#listener.down(ended)
      const next =
        ended.code === 'SERVER_UNSUITABLE'
          ? ended
          : await this.#connect(Infinity).catch((error: unknown) => toLedgerError(error, this.#stream))
      if (next instanceof JobportError) return this.#stopWith(next)
      session = next
      this.#listener.up()
    }
  }

  async #serve(session: Session): Promise<JobportError> {
    this.#session = session
    this.#settleUnseen()
    this.#outbox.resume(this.#sender(session))
    this.#snapshots.check()
    const watch = setInterval(() => {
      // while all but snapshots is held back nothing may be folded
      this.#snapshots.check()
      const { oldest = Infinity } = this.#outbox
      const since = Date.now() - SILENCE
      if (oldest < since && session.lastRead < since) session.fail(new Error('nothing of what was appended can be read'))
    }, 250)
    try {
      return await session.ended
    } finally {
      clearInterval(watch)
    }
  }

  /** A state that was loaded anew holds some of our entries already, or is that of another log. */
  #settleUnseen(): void {
    const { epoch } = this
    if (this.#epoch !== '' && this.#epoch !== epoch) {
      this.#outbox.abandonAll()
      this.#listener.error(
        new JobportError('SERVER_UNSUITABLE', `ledger ${this.#stream} was deleted or recreated: jobs may run twice`),
      )
    }
    this.#epoch = epoch
    this.#outbox.settleUnseen(this.#follower.state.writers.get(this.#outbox.writer)?.seq ?? 0)
    this.#waits.all()
  }

  #sender(session: Session): Sender {
    const follower = this.#follower
    const retention = this.#retention
    return {
      get epoch() {
        return follower.state.head.epoch
      },
      get seen() {
        return follower.state.head.count
      },
      get snapshot() {
        return follower.state.head.snapshot
      },
      get held() {
        return follower.tail > retention / 2
      },
      send: (content) => session.append(content),
    }
  }

  #afterFold(folded: Folded): void {
    const { batch, answers } = folded
    if (batch.writer === this.#outbox.writer) this.#outbox.answer(batch.seq, answers)
    else this.#outbox.wake()
    this.#waits.after(folded)
    if (this.#session) this.#snapshots.check()
  }

  #snapshotLog(): ConstructorParameters<typeof Snapshots>[0] {
    const follower = (): Follower => this.#follower
    return {
      get state() {
        return follower().state
      },
      get tail() {
        return follower().tail
      },
      write: (entry, options = {}) => this.#append(entry, options, (answer) => answer),
    }
  }

  #stopWith(error: JobportError): void {
    this.#closing.abort()
    this.#outbox.fail(error)
    if (error.code !== 'CLOSED') this.#listener.error(error)
  }

  #closed(): JobportError {
    return new JobportError('CLOSED', `ledger ${this.#stream} is closed`)
  }

  /** A snapshot must fit into the log four times; a message must not take the channel down. */
  #refusal({ id, body = '' }: Claim): JobportError | undefined {
    const { holders, size } = this.#follower.state
    const what = `ledger ${this.#stream}`
    if (body.length > MOST_BODY)
      return new JobportError('REJECTED', `${what}: a job of ${body.length} characters, more than ${MOST_BODY}`, { id })
    if (size + body.length <= this.#retention / 4) return undefined
    return new JobportError('REJECTED', `${what} is full at ${holders.size} live jobs: give it a larger size`, { id })
  }
}
