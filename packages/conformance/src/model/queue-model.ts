import { differ, differences, show } from './difference.ts'
import type { ModelJob } from './model-job.ts'
import { later, span, type Moment } from './moment.ts'
import { precedence } from './order.ts'
import { QueueState } from './queue-state.ts'
import { Windows } from './windows.ts'
import type { Delivery, Message, Outcome, PublishResult, Scope } from '@jobport/core/driver'

/** Its number in order of arrival, and with which others it came. */
interface Arrival {
  /** When it was asked for. */
  readonly since: number
  readonly order: number
  readonly together?: symbol
}

/** What a delivery tells of its job. */
export type Handed = Pick<Delivery, 'message' | 'attempt' | 'crashes' | 'stalled'>

/**
 * A queue as the contract has it: `driver.ts`, `docs/lifecycle.md` and `docs/guarantees.md`, as a program. It is told what was
 * done and what came of it, follows that, and throws a {@link Difference} where it may not be so. No I/O, no clock of its own.
 */
export class QueueModel extends QueueState {
  readonly #windows = new Windows()
  /** Handed to the broker, whose answer has not come: by uid, how each of them becomes live. */
  readonly #coming = new Map<string, (at: Moment) => void>()
  /** When each was handed to the broker, and when an id was let go of, and by whom: numbers of {@link #order}. */
  readonly #asked = new Map<string, number>()
  readonly #freed = new Map<string, { readonly uid: string; readonly order: number }>()
  /** Workers whose connection is being closed. */
  readonly #going = new Set<number>()
  #order = 0
  #tick = 0

  /** On its way: it may be delivered before the broker has answered. */
  adding(message: Message, from: number, together: symbol): void {
    const since = ++this.#order
    const arrival = { since, order: since, together }
    this.#asked.set(message.uid, since)
    this.#coming.set(message.uid, ({ to }) => this.added(message, { status: 'added' }, { from, to }, arrival))
  }

  /** A live job, or a dedup window, holds the id: nothing is stored. Else it waits, or is delayed. */
  added(message: Message, result: PublishResult, at: Moment, { order = ++this.#order, together }: Partial<Arrival>): void {
    const since = this.#asked.get(message.uid) ?? order
    const { id, uid, dedup } = message
    const isComing = this.#coming.delete(uid)
    // it was delivered before, and may have ended since
    if (!isComing) {
      if (result.status !== 'added') differ(`add of ${id} was delivered, and answered ${result.status}`)
      return
    }
    const holder = this.live.get(id)?.message.uid
    const window = this.#windows.holderOf(id, at)
    const what = `add of ${id}`
    if (result.status === 'duplicate') {
      const freed = this.#freed.get(id)
      // who held it when the broker looked may have ended since
      const last = freed && freed.order > (this.#asked.get(uid) ?? Infinity) ? freed.uid : undefined
      const known = [holder, window?.uid, last].filter((each) => each !== undefined)
      if (known.length === 0) differ(`${what} answered duplicate, and nothing holds the id`)
      if (result.uid !== undefined && !known.includes(result.uid))
        differ(`${what} names ${result.uid} as the holder, which is ${known.join(' or ')}`)
      return
    }
    if (result.status !== 'added') return differ(`${what} was ${result.status}: ${result.error.message}`)
    if (holder !== undefined) differ(`${what} answered added, and the live job ${holder} holds the id`)
    if (window?.isCertain) differ(`${what} answered added, and the dedup window of ${window.uid} holds the id`)
    if (dedup) this.#windows.open(id, uid, later(at, dedup.ttl))
    this.#begin(message, at, { since, order, ...(together && { together }) })
  }

  /** Never early, never while paused, never twice at once, in order, and exactly as the job was stored. */
  delivered(handed: Handed, worker: number, at: Moment): ModelJob {
    const { id, uid } = handed.message
    this.#coming.get(uid)?.(at)
    const job = this.live.get(id)
    if (!job || job.message.uid !== uid) return differ(`${uid} (id ${show(id)}) was delivered, and no such job is live`)
    if (job.settling) this.settled(job, at)
    if (this.live.get(id) !== job) differ(`${id} was delivered again after its end`)
    if (job.lost) this.recovered(job)
    if (job.worker !== undefined && this.#going.has(job.worker)) this.#handBack(job)
    if (job.state === 'active') differ(`${id} was delivered while worker ${job.worker} has it`)
    if (this.paused) differ(`${id} was delivered while the queue is paused`)
    if (job.due && at.to < job.due.from) differ(`${id} was delivered ${job.due.from - at.to} ms before its due time`)
    const { message, attempt, crashes, stalled } = job
    const found = differences({ message, attempt, crashes, stalled }, pick(handed))
    if (found.length > 0) differ(`${id} was delivered, and ${found.join('; ')}`)
    if (this.isLone(worker)) this.#checkTurn(job, at)
    if (this.held(worker) >= this.workers.get(worker)!) differ(`${id} was delivered beyond the concurrency of worker ${worker}`)
    delete job.due
    return Object.assign(job, { state: 'active', worker, stalled: false, rested: false, order: ++this.#order })
  }

  /** Its worker has asked for this end; what comes until the broker confirms it may already follow from it. */
  settling(job: ModelJob, outcome: Outcome, from: number): void {
    if (job.state !== 'active') differ(`${job.message.id} was settled, and is ${job.state}`)
    job.settling = { outcome, from, since: ++this.#order }
  }

  /** The broker has confirmed the outcome, if nothing that came before the confirmation has shown it already. */
  settled(job: ModelJob, { to }: Pick<Moment, 'to'>): void {
    if (!job.settling) return
    const { outcome, from, since } = job.settling
    const at = { from, to }
    delete job.settling
    delete job.worker
    switch (outcome.type) {
      case 'complete':
        return this.#letGo(job)
      case 'again':
        job.attempt = outcome.attempt
        return this.#rest(job, Math.ceil(outcome.delay), at, { since, order: ++this.#order })
      case 'release':
        return this.#handBack(job)
      case 'dead':
        this.#free(job)
        job.state = 'dead'
        job.death = { reason: outcome.reason, error: outcome.error, at, tick: this.#tick }
        this.letters.push(job)
    }
  }

  /** Its worker renews its lease no longer. */
  abandoned(job: ModelJob): void {
    job.lost = true
  }

  /** The broker has found out that its worker has given it up: it waits again, as the same attempt, one crash more. */
  recovered(job: ModelJob): void {
    job.lost = false
    job.crashes++
    job.stalled = true
    this.#handBack(job)
  }

  /** Its connection is being closed: what it has may run elsewhere at any moment. */
  workerGoing(worker: number): void {
    this.#going.add(worker)
  }

  /** A worker that stopped, or whose connection closed: what it had goes back as it was. */
  workerWent(worker: number): void {
    this.workers.delete(worker)
    this.#going.delete(worker)
    for (const job of this.live.values()) if (job.worker === worker && !job.lost) this.#handBack(job)
  }

  /** Live: only what waits or is delayed, and then it never runs. Dead: the letter of that uid. */
  removed(key: string, scope: Scope, answer: boolean): void {
    const isLive = scope === 'live'
    const job = isLive ? this.#removableBy(key, answer) : this.#letter(key)
    if (answer !== (job !== undefined)) differ(`remove of ${key} (${scope}) answered ${answer}; it is ${show(job?.state)}`)
    if (job) this.#forget(job)
  }

  /** Live: all that waits or is delayed. Dead: all letters. */
  purged(scope: Scope, count: number): void {
    const jobs =
      scope === 'live'
        ? [...this.removable, ...this.lost.slice(0, Math.max(0, count - this.removable.length))]
        : [...this.letters]
    if (count !== jobs.length) differ(`purge (${scope}) answered ${count}, and ${jobs.length} jobs were there`)
    for (const job of jobs) this.#forget(job)
  }

  /** On its way: the new life may be delivered before the broker has answered. */
  redriving(uid: string, as: { uid: string; attempts?: number }, from: number): void {
    this.#coming.set(as.uid, ({ to }) => this.redriven(uid, as, 'redriven', { from, to }))
  }

  /** The same id, a new uid, attempt 1, no crashes, behind what waits; neither the delay nor the dedup window of the old life. */
  redriven(uid: string, as: { uid: string; attempts?: number }, answer: string, at: Moment): void {
    const isComing = this.#coming.delete(as.uid)
    if (!isComing) {
      if (answer !== 'redriven') differ(`redrive of ${uid} was delivered, and answered ${answer}`)
      return
    }
    const letter = this.#letter(uid)
    const id = letter?.message.id ?? ''
    const window = this.#windows.holderOf(id, at)
    const isHeld = this.live.has(id) || window !== undefined
    const may = !letter ? ['missing'] : isHeld ? ['duplicate'] : ['redriven']
    if (letter && window && !window.isCertain && !this.live.has(id)) may.push('redriven')
    if (!may.includes(answer)) differ(`redrive of ${uid} (id ${show(id)}) answered ${answer}, not ${may.join(' or ')}`)
    if (answer !== 'redriven') return
    const { dedup: _, delay: __, ...message } = letter!.message
    this.#forget(letter!)
    this.#begin({ ...message, uid: as.uid, ...(as.attempts !== undefined && { attempts: as.attempts }) }, at, {
      since: this.#order,
      order: ++this.#order,
    })
  }

  dropped(): void {
    this.live.clear()
    this.letters.length = 0
    this.#windows.clear()
    this.#coming.clear()
    this.paused = false
  }

  /** Time has come to `now`: what is certainly due waits. */
  passed(now: number): void {
    for (const job of this.live.values()) {
      if (!job.due || job.due.to + this.lateness > now) continue
      Object.assign(job, { state: 'waiting', place: { kind: 'due', at: job.due } })
      delete job.due
    }
  }

  /** Nothing moves: from now on nothing may overtake what waits. */
  rested(): void {
    this.#tick++
    for (const job of this.live.values()) job.rested = job.state === 'waiting'
  }

  #begin(message: Message, at: Moment, arrival: Arrival): void {
    const { order } = arrival
    const place = { kind: 'arrived', ...arrival, at } as const
    const job: ModelJob = {
      message,
      state: 'waiting',
      attempt: 1,
      crashes: 0,
      stalled: false,
      place,
      order,
      rested: false,
      lost: false,
    }
    this.live.set(message.id, job)
    this.#rest(job, message.delay ?? 0, at, arrival)
  }

  #rest(job: ModelJob, delay: number, at: Moment, arrival: Arrival): void {
    Object.assign(job, { order: arrival.order, rested: false })
    if (delay > 0) Object.assign(job, { state: 'delayed', due: later(at, delay) })
    else Object.assign(job, { state: 'waiting', place: { kind: 'arrived', ...arrival, at } })
  }

  #handBack(job: ModelJob): void {
    delete job.worker
    Object.assign(job, { state: 'waiting', rested: false, place: { kind: 'handed back', order: job.order, tick: this.#tick } })
  }

  #checkTurn(job: ModelJob, at: Moment): void {
    const here = job.due ? { ...job, place: { kind: 'due', at: job.due } as const } : job
    for (const other of this.in('waiting')) {
      if (other === job || !other.rested) continue
      const why = precedence(other, here, this.features)
      if (why)
        differ(`${job.message.id} was delivered before ${other.message.id}, which had to come first: ${why} (at ${span(at)})`)
    }
  }

  /** One that is lost may be found to wait. */
  #removableBy(id: string, isRemoved: boolean): ModelJob | undefined {
    return [...this.removable, ...(isRemoved ? this.lost : [])].find(({ message }) => message.id === id)
  }

  #letter(uid: string): ModelJob | undefined {
    return this.letters.find(({ message }) => message.uid === uid)
  }

  #forget(job: ModelJob): void {
    if (job.state === 'dead') this.letters.splice(this.letters.indexOf(job), 1)
    else this.#free(job)
  }

  #letGo({ message: { id, uid } }: ModelJob): void {
    this.live.delete(id)
    this.#freed.set(id, { uid, order: ++this.#order })
  }

  /** Death and removal let go of the id, and end the window that this life has opened. */
  #free(job: ModelJob): void {
    const { id, uid } = job.message
    this.#letGo(job)
    this.#windows.close(id, uid)
  }
}

function pick({ message, attempt, crashes, stalled }: Handed): Handed {
  return { message, attempt, crashes, stalled }
}
