import { JobportError } from '@jobport/core/driver'
import { RULES, type Answer, type Batch } from './entries.ts'
import { toLedgerError } from './faults.ts'
import { fold } from './fold.ts'
import { Loader, NoBase, Silence, unfounded } from './loader.ts'
import { locate, openingBatch } from './locate.ts'
import { Session, type LogRecord, type StreamOptions } from './session.ts'
import { State } from './state.ts'
import { encodeBatch } from './wire.ts'

export interface Folded {
  readonly record: LogRecord
  readonly batch: Batch
  readonly answers: readonly Answer[]
}

interface Position {
  readonly offset: number
  readonly writer: string | undefined
  readonly seq: number | undefined
}

/** Nothing was read at so many looks in a row, ms apart, although something must come: the broker's reader is lost. */
const LOOKS = 20
const LOOK = 100

/** Reads the log and folds it: from the newest snapshot at first, then on from where it was. */
export class Follower {
  state: State = new State()
  /** Bytes of the log since the newest complete snapshot began. */
  tail = 0
  readonly #options: StreamOptions & { readonly memory: number }
  readonly #folded: (folded: Folded) => void
  /** The last message folded. Absent: load again. */
  #position: Position | undefined
  #barrier = ''
  #caughtUp: (() => void) | undefined
  /** Bytes of the log since the snapshot on its way began. */
  #sinceBegin = 0
  /** Epochs of writers that mean another log than the one in this stream. */
  readonly #strangers = new Set<string>()

  constructor(options: StreamOptions & { readonly memory: number }, folded: (folded: Folded) => void) {
    this.#options = options
    this.#folded = folded
  }

  /** Opens a session that has read all that was in the log. Rejects with `UNAVAILABLE`, `ACCESS_DENIED` or `SERVER_UNSUITABLE`. */
  async connect(): Promise<Session> {
    if (this.#position) {
      const session = await this.#resume(this.#position).catch(passNoBase)
      if (session) return session
    }
    this.#position = undefined
    const opening = this.#opening()
    const from = await locate(this.#options, opening)
    const loaded = from === 'first' ? undefined : await this.#load(from).catch(passNoBase)
    try {
      return loaded ?? (await this.#load('first'))
    } catch (error) {
      if (error instanceof Silence) throw new JobportError('UNAVAILABLE', `ledger ${this.#options.stream}: ${error.message}`)
      throw error instanceof NoBase ? unfounded(this.#options.stream, error) : error
    }
  }

  /** On from the last message folded, which must still be there. */
  async #resume(position: Position): Promise<Session> {
    const session = await Session.open(this.#options)
    const caughtUp = this.#expectBarrier()
    let same = false
    const lost = Promise.withResolvers<never>()
    const read = (record: LogRecord): void => {
      if (same) return this.#read(record, session)
      same = record.offset === position.offset && record.batch?.writer === position.writer && record.batch?.seq === position.seq
      if (!same) lost.reject(new NoBase('the ledger is another one, or was cut off'))
    }
    return this.#within(session, async () => {
      await session.follow(position.offset, read)
      session.append(encodeBatch(this.#opening()))
      await Promise.race([caughtUp, lost.promise])
    })
  }

  async #load(from: number | 'first'): Promise<Session> {
    const session = await Session.open(this.#options)
    const loader = new Loader(this.#barrier, from === 'first' ? undefined : from)
    const caughtUp = this.#expectBarrier()
    let loaded = false
    return this.#within(session, async () => {
      await session.follow(from, (record) => (loaded ? this.#read(record, session) : loader.push(record)))
      void session.ended.then((error) => loader.fail(error))
      const { state, offset } = await loader.state()
      this.state = state
      this.tail = 0
      this.#position = { offset, writer: undefined, seq: undefined }
      for (const record of loader.after(offset)) this.#read(record, session)
      loaded = true
      await caughtUp
    })
  }

  #opening(): Batch {
    this.#barrier = crypto.randomUUID()
    return openingBatch(this.#barrier, crypto.randomUUID().slice(0, 8), this.#options.memory)
  }

  #expectBarrier(): Promise<void> {
    return new Promise((resolve) => (this.#caughtUp = resolve))
  }

  /** Ends the session unless `work` ends well; silence means that there is nothing where it reads. */
  async #within(session: Session, work: () => Promise<void>): Promise<Session> {
    const silent = Promise.withResolvers<never>()
    let [quiet, lastRead] = [0, session.lastRead]
    // looks and not time: a process that got none has not read what had come
    const watch = setInterval(() => {
      quiet = session.lastRead === lastRead ? quiet + 1 : 0
      lastRead = session.lastRead
      if (quiet === LOOKS) silent.reject(new Silence('nothing can be read from the ledger'))
    }, LOOK)
    try {
      const ended = session.ended.then((error) => Promise.reject(error))
      await Promise.race([work(), silent.promise, ended])
      return session
    } catch (error) {
      session.fail(error)
      throw error instanceof NoBase ? error : toLedgerError(error, this.#options.stream)
    } finally {
      clearInterval(watch)
    }
  }

  #read(record: LogRecord, session: Session): void {
    if (session.isOver) return
    const { offset, batch, bytes } = record
    // a new segment of the stream uses up one offset
    if (this.#position && offset > this.#position.offset + 2 && this.#position.offset >= 0)
      return this.#lose(session, 'was cut off')
    this.#position = { offset, writer: batch?.writer, seq: batch?.seq }
    this.tail += bytes
    this.#sinceBegin += bytes
    if (batch) this.#fold(record, batch, session)
  }

  #fold(record: LogRecord, batch: Batch, session: Session): void {
    if (batch.rules > RULES) {
      const what = `ledger ${this.#options.stream} has rules ${batch.rules}, this process ${RULES}: upgrade it`
      return session.fail(new JobportError('SERVER_UNSUITABLE', what))
    }
    const before = this.state.head.snapshot
    const answers = fold(this.state, batch, record.offset)
    if (answers === 'foreign') return this.#meetStranger(batch.epoch, session)
    if (batch.writer === this.#barrier) this.#caughtUp?.()
    if (answers === 'repeat') return
    if (this.state.head.writing?.of === record.offset) this.#sinceBegin = record.bytes
    if (this.state.head.snapshot !== before) this.tail = this.#sinceBegin
    this.#folded({ record, batch, answers })
  }

  /** Either its writer or we mean a log that is gone. Loading again tells; once for each. */
  #meetStranger(epoch: string, session: Session): void {
    if (this.#strangers.has(epoch)) return
    this.#strangers.add(epoch)
    this.#lose(session, 'was recreated, or a writer means another one')
  }

  #lose(session: Session, what: string): void {
    this.#position = undefined
    session.fail(new JobportError('UNAVAILABLE', `ledger ${this.#options.stream} ${what}`))
  }
}

function passNoBase(error: unknown): undefined {
  if (!(error instanceof NoBase)) throw error
}
