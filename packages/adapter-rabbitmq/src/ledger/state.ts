import type { Dead, Fate, Finished, Life, Tomb } from './records.ts'

/** The newest entry that was folded of one writer. */
export interface Mark {
  readonly writer: string
  readonly seq: number
  /** Number of the last entry of its last message. */
  readonly at: number
}

/** An id that outlives its job. */
export interface Window {
  readonly id: string
  readonly uid: string
  readonly until: number
}

/** A snapshot on its way: begun at offset `of`, `next` parts written. */
export interface Writing {
  readonly writer: string
  readonly of: number
  /** Number of its `begin`, and how many were live then. */
  readonly number: number
  readonly lives: number
  readonly at: number
  readonly next: number
}

export interface Head {
  /** Empty until the log is founded. */
  epoch: string
  memory: number
  /** Entries folded. */
  count: number
  /** Offset at which the newest complete snapshot began; -1 without one. */
  snapshot: number
  /** Number of the entry at which it began, and how many were live then. */
  snapshotCount: number
  snapshotLives: number
  writing?: Writing
}

/** Of the ends, before the array is cut. */
const MOST_PASSED = 10_000

/** What the log says of all jobs. Only `fold` changes it; records are never changed but replaced, so that they can be kept. */
export class State {
  head: Head = { epoch: '', memory: 0, count: 0, snapshot: -1, snapshotCount: 0, snapshotLives: 0 }
  readonly writers: Map<string, Mark> = new Map()
  /** By uid, in order of their first entries. */
  readonly standing: Map<string, Life | Tomb | Dead> = new Map()
  /** By uid, in order of their ends. */
  readonly finished: Map<string, Finished> = new Map()
  readonly windows: Map<string, Window> = new Map()
  /** By id, in order of their claims. */
  readonly holders: Map<string, Life> = new Map()
  /** Waiting or delayed, with a `dueAt`; by id. */
  readonly scheduled: Map<string, Life> = new Map()
  readonly dead: Map<string, Dead> = new Map()
  active = 0
  /** Characters of all bodies. */
  bodies = 0
  /** As `finished`, whose first one is dear to find once many before it have gone. */
  readonly #ends: Finished[] = []
  #oldest = 0

  fate(uid: string): Fate | undefined {
    return this.standing.get(uid) ?? this.finished.get(uid)
  }

  live(uid: string): Life | undefined {
    const fate = this.standing.get(uid)
    return fate?.kind === 'live' ? fate : undefined
  }

  /** A new life, or the next form of `before`. */
  set(life: Life, before?: Life): void {
    if (before) this.#count(before, -1)
    this.#count(life, 1)
    this.standing.set(life.uid, life)
    this.holders.set(life.id, life)
    if (isScheduled(life)) this.scheduled.set(life.id, life)
    else if (before && isScheduled(before)) this.scheduled.delete(life.id)
  }

  /** The life is over: its id is free, unless a dedup window stays open. */
  free(life: Life, { window }: { window: 'stays' | 'ends' }): void {
    this.#count(life, -1)
    this.standing.delete(life.uid)
    this.holders.delete(life.id)
    if (isScheduled(life)) this.scheduled.delete(life.id)
    if (window === 'ends' && this.windows.get(life.id)?.uid === life.uid) this.windows.delete(life.id)
  }

  rest(fate: Tomb | Dead): void {
    this.standing.set(fate.uid, fate)
    if (fate.kind === 'dead') this.dead.set(fate.uid, fate)
  }

  /** Of what rested until now. */
  finish(finished: Finished): void {
    this.standing.delete(finished.uid)
    this.dead.delete(finished.uid)
    this.remember(finished)
  }

  remember(finished: Finished): void {
    this.finished.set(finished.uid, finished)
    this.#ends.push(finished)
  }

  /** Forgets what finished more than `memory` entries ago. */
  forget(): void {
    const { count, memory } = this.head
    for (let end = this.#ends[this.#oldest]; end && end.at + memory < count; end = this.#ends[++this.#oldest])
      this.finished.delete(end.uid)
    if (this.#oldest < MOST_PASSED) return
    this.#ends.splice(0, this.#oldest)
    this.#oldest = 0
  }

  /** Of a snapshot, in bytes, about. */
  get size(): number {
    return 150 * (this.standing.size + this.windows.size) + 60 * this.finished.size + Math.ceil(1.2 * this.bodies)
  }

  #count(life: Life, by: 1 | -1): void {
    if (life.run !== undefined) this.active += by
    this.bodies += by * (life.body?.length ?? 0)
  }
}

function isScheduled({ run, dueAt }: Life): boolean {
  return run === undefined && dueAt !== undefined
}
