import { TimeoutError } from '@nats-io/transport-node'
import { setTimeout as pause } from 'node:timers/promises'
import type { JobState, Page, QueueAdmin, QueueStatus, Scope, StoredJob } from '@jobport/core/driver'
import { isMissing, isRefusal, isUnheard, toJobportError } from './faults.ts'
import { isDue, liveWrite, read, readDead, revive, tombstoneRedriven, uidOf } from './mapping.ts'
import { placeOf, toToken, type Names } from './names.ts'
import { newest } from './newest.ts'
import { countWorkers } from './presence.ts'
import { isTaken } from './publish.ts'
import { delivered, isActive, removeById, removeJobs } from './removal.ts'
import type { Client } from './client.ts'
import type { Letters } from './letters.ts'
import type { Records } from './records.ts'
import type { StoredRecord } from './stored-record.ts'
import type { Topology } from './topology.ts'

/** Removed in one go. */
const BATCH = 256
/** Another may hold the id for a moment, and let it go. */
const TRIES = 10
const COUNT_PATIENCE = 500
const COUNT_PAUSE = 5
/** How long something is asked again that got no answer, ms; the last answer may take two seconds more. */
const PATIENCE = 6_000

/** Looks at a queue's stream. A cursor is the sequence of the last record looked at. */
export class NatsAdmin implements QueueAdmin {
  readonly #client: Client
  readonly #records: Records
  readonly #topology: Topology
  readonly #letters: Letters
  readonly #names: Names

  constructor(client: Client, records: Records, topology: Topology, letters: Letters) {
    this.#client = client
    this.#records = records
    this.#topology = topology
    this.#letters = letters
    this.#names = records.names
  }

  async counts(): Promise<Record<JobState, number>> {
    const none = { waiting: 0, delayed: 0, active: 0, dead: 0 }
    return this.#look(none, async () => {
      const end = Date.now() + COUNT_PATIENCE
      for (;;) {
        const { held, isOneMoment, ...counts } = await this.#count()
        // a consumer hears of a new job a moment after its publisher
        if (isOneMoment && held === counts.waiting + counts.active) return counts
        // of a priority that no worker has looked for yet, there is no consumer
        if (Date.now() > end) return { ...counts, waiting: Math.max(0, held - counts.active) }
        await pause(COUNT_PAUSE)
      }
    })
  }

  async status(): Promise<QueueStatus> {
    return this.#look({ paused: false, workers: 0 }, async () => {
      const [consumer, workers] = await Promise.all([
        this.#topology.consumer(this.#names, 0),
        countWorkers(this.#client, this.#names),
      ])
      return { paused: consumer?.paused === true, workers }
    })
  }

  async get(id: string, scope: Scope): Promise<StoredJob | undefined> {
    return this.#look(undefined, async () => {
      const token = toToken(id)
      const record = await this.#records.last(scope === 'dead' ? this.#names.dead(token) : this.#names.any(token))
      if (!record || record.data.length === 0) return undefined
      const { state } = placeOf(record.subject)
      if (scope === 'dead') return this.#shown(record)
      if (state === 'd') return toStored(record, isDue(record) ? 'waiting' : 'delayed')
      if (state !== 'w') return undefined
      return toStored(record, isActive(record, await delivered(this.#topology, this.#names)) ? 'active' : 'waiting')
    })
  }

  async list(state: JobState, { limit, cursor }: { limit: number; cursor?: string }): Promise<Page> {
    return this.#look({ jobs: [] }, () =>
      state === 'dead' ? this.#listDead(limit, cursor) : this.#listLive(state, limit, Number(cursor ?? 0)),
    )
  }

  async remove(key: string, scope: Scope): Promise<boolean> {
    return this.#do(false, async () => {
      if (scope === 'live') return removeById(toToken(key), this.#records, this.#topology)
      const record = await this.#letter(key)
      return record !== undefined && record.data.length > 0 && this.#records.remove(record.seq)
    })
  }

  async purge(scope: Scope): Promise<number> {
    return this.#do(0, async () => {
      if (scope === 'dead') return this.#purgeAll(this.#names.dead(), (letters) => this.#bury(letters))
      const remove = (jobs: readonly StoredRecord[]): Promise<number> => removeJobs(jobs, this.#records, this.#topology)
      return (await this.#purgeAll(this.#names.waiting('*'), remove)) + (await this.#purgeAll(this.#names.delayed('*'), remove))
    })
  }

  async redrive(uid: string, as: { uid: string; attempts?: number }): Promise<'redriven' | 'duplicate' | 'missing'> {
    return this.#do('missing', async () => {
      for (let tries = 0; tries < TRIES; tries++) {
        const answer = await this.#client.batches.pass(() => this.#redrive(uid, as))
        if (answer !== 'again') return answer
        await pause(tries * 10)
      }
      return 'duplicate'
    })
  }

  async pause(): Promise<void> {
    await this.#do(undefined, () => this.#topology.pause(this.#names))
  }

  async resume(): Promise<void> {
    await this.#do(undefined, () => this.#topology.resume(this.#names))
  }

  async drop(): Promise<void> {
    await this.#do(undefined, () => this.#topology.drop(this.#names))
  }

  /** `held`: what lies in the stream to be run. */
  async #count(): Promise<Record<JobState | 'held', number> & { readonly isOneMoment: boolean }> {
    const before = await this.#countOthers()
    const [consumers, held] = await Promise.all([
      this.#topology.consumers(this.#names),
      this.#records.count(this.#names.waiting('*')),
    ])
    const after = await this.#countOthers()
    const sum = (read: (info: { num_pending: number; num_ack_pending: number }) => number): number =>
      [...consumers.values()].reduce((total, info) => total + read(info), 0)
    return {
      waiting: sum((info) => info.num_pending),
      delayed: Math.max(before.delayed, after.delayed),
      active: sum((info) => info.num_ack_pending),
      dead: Math.max(before.dead, after.dead),
      held,
      isOneMoment: before.delayed === after.delayed && before.dead === after.dead,
    }
  }

  /** What neither waits for a worker nor is with one. A job that changes sides while others are counted would be counted nowhere. */
  async #countOthers(): Promise<{ delayed: number; dead: number }> {
    const [delayed, dead] = await Promise.all([
      this.#records.count(this.#names.delayed('*')),
      this.#records.count(this.#names.dead()),
    ])
    return { delayed, dead }
  }

  async #listLive(state: JobState, limit: number, after: number): Promise<Page> {
    const isWanted = await this.#wanted(state)
    const filter = state === 'delayed' ? this.#names.delayed('*') : this.#names.waiting('*')
    const jobs: StoredJob[] = []
    for (let from = after + 1; ; ) {
      const { records, left } = await this.#records.page(filter, from, limit)
      for (const record of records) {
        from = record.seq + 1
        if (isWanted(record)) jobs.push(toStored(record, state))
        if (jobs.length === limit) return { jobs, ...((left > 0 || record !== records.at(-1)) && { cursor: String(record.seq) }) }
      }
      if (left === 0) return { jobs }
    }
  }

  async #wanted(state: JobState): Promise<(record: StoredRecord) => boolean> {
    if (state === 'delayed') return (record) => !isDue(record)
    const reached = await delivered(this.#topology, this.#names)
    return (record) => isActive(record, reached) === (state === 'active')
  }

  async #listDead(limit: number, cursor: string | undefined): Promise<Page> {
    const { records, more } = await newest(
      this.#records,
      this.#names.dead(),
      limit,
      cursor === undefined ? Infinity : Number(cursor),
    )
    const jobs = records.filter(({ data }) => data.length > 0).map((record) => this.#shown(record))
    return { jobs, ...(more && { cursor: String(records.at(-1)!.seq) }) }
  }

  #shown(record: StoredRecord): StoredJob {
    this.#letters.remember(this.#names.stream, uidOf(record), placeOf(record.subject).token)
    return toStored(record, 'dead')
  }

  /** By its uid, which is the id of a job that was given none. */
  async #letter(uid: string): Promise<StoredRecord | undefined> {
    const token = this.#letters.tokenOf(this.#names.stream, uid) ?? toToken(uid)
    return (await this.#records.last(this.#names.dead(token, uid))) ?? this.#records.last(this.#names.dead('*', uid))
  }

  async #purgeAll(filter: string, remove: (records: readonly StoredRecord[]) => Promise<number>): Promise<number> {
    let removed = 0
    for (let from = 1; ; ) {
      const { records, left } = await this.#records.page(filter, from, BATCH)
      removed += await remove(records)
      if (left === 0) return removed
      from = records.at(-1)!.seq + 1
    }
  }

  /** One by one: what is being redriven at this moment is none of ours. */
  async #bury(letters: readonly StoredRecord[]): Promise<number> {
    const removed = await Promise.all(letters.filter(({ data }) => data.length > 0).map(({ seq }) => this.#records.remove(seq)))
    return removed.filter(Boolean).length
  }

  /** The live job and the end of the dead letter are one write: of two that redrive it, one does. */
  async #redrive(uid: string, as: { uid: string; attempts?: number }): Promise<'redriven' | 'duplicate' | 'missing' | 'again'> {
    const letter = await this.#letter(uid)
    if (!letter || letter.data.length === 0) return 'missing'
    const { token } = placeOf(letter.subject)
    const of = this.#names.any(token)
    const holder = await this.#records.last(of)
    if (holder && isTaken(holder)) return 'duplicate'
    const { message } = read(letter)
    const level = Math.min(message.priority ?? 0, 9)
    await this.#topology.ensure(this.#names, level)
    const live = liveWrite(this.#names, token, level, { uid: as.uid, attempt: 1, crashes: 0 }, revive(letter, as))
    try {
      const [gone] = await this.#records.writeBoth(tombstoneRedriven(letter), { seq: letter.seq, of: letter.subject }, live, {
        seq: holder?.seq ?? 0,
        of,
      })
      await this.#records.remove(gone)
      return 'redriven'
    } catch (error) {
      if (isRefusal(error, 'conflict') || isRefusal(error, 'inFlight') || isRefusal(error, 'tooManyBatches')) return 'again'
      throw error
    }
  }

  /** What only reads is asked again, for a while: a server under load may be late. */
  #look<T>(none: T, call: () => Promise<T>): Promise<T> {
    const until = performance.now() + PATIENCE
    const ask = (): Promise<T> =>
      call().catch((error: unknown) => {
        if (!(error instanceof TimeoutError) || performance.now() > until) throw error
        return ask()
      })
    return this.#do(none, ask)
  }

  /** A queue that does not exist is empty. One that was dropped and is there again may not hear at once: nothing was done then. */
  async #do<T>(none: T, call: () => Promise<T>): Promise<T> {
    for (const until = performance.now() + PATIENCE; ; await pause(COUNT_PAUSE)) {
      try {
        return await this.#client.lookups.pass(call)
      } catch (error) {
        if (isMissing(error)) return none
        if (isUnheard(error) && !(await this.#exists())) return none
        if (!isUnheard(error) || performance.now() > until) throw toJobportError(error, this.#names.queue)
      }
    }
  }

  async #exists(): Promise<boolean> {
    return this.#client.manager.streams.info(this.#names.stream).then(
      () => true,
      (error: unknown) => !isMissing(error),
    )
  }
}

function toStored(record: StoredRecord, state: JobState): StoredJob {
  const { message, attempt, crashes, dueAt } = read(record)
  return {
    message,
    state,
    attempt,
    crashes,
    ...(state === 'delayed' && dueAt !== undefined && { dueAt }),
    ...(state === 'dead' && { dead: readDead(record) }),
  }
}
