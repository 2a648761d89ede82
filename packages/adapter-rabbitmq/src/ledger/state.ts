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

  fate(uid: string): Fate | undefined {
    return this.standing.get(uid) ?? this.finished.get(uid)
  }

  live(uid: string): Life | undefined {
    const fate = this.standing.get(uid)
    return fate?.kind === 'live' ? fate : undefined
  }

  /** A new life, or the next form of one. */
  set(life: Life): void {
    this.#count(this.holders.get(life.id), -1)
    this.#count(life, 1)
    this.standing.set(life.uid, life)
    this.holders.set(life.id, life)
    if (life.run === undefined && life.dueAt !== undefined) this.scheduled.set(life.id, life)
    else this.scheduled.delete(life.id)
  }

  /** The life is over: its id is free, unless a dedup window stays open. */
  free(life: Life, { window }: { window: 'stays' | 'ends' }): void {
    this.#count(life, -1)
    this.standing.delete(life.uid)
    this.holders.delete(life.id)
    this.scheduled.delete(life.id)
    if (window === 'ends' && this.windows.get(life.id)?.uid === life.uid) this.windows.delete(life.id)
  }

  rest(fate: Tomb | Dead): void {
    this.standing.set(fate.uid, fate)
    if (fate.kind === 'dead') this.dead.set(fate.uid, fate)
  }

  finish(finished: Finished): void {
    this.standing.delete(finished.uid)
    this.dead.delete(finished.uid)
    this.finished.set(finished.uid, finished)
  }

  /** Forgets what finished, and who wrote, more than `memory` entries ago. */
  forget(): void {
    const { count, memory } = this.head
    for (const [uid, { at }] of this.finished) {
      if (at + memory >= count) return
      this.finished.delete(uid)
    }
  }

  /** Of a snapshot, in bytes, about. */
  get size(): number {
    return 150 * (this.standing.size + this.windows.size) + 60 * this.finished.size + Math.ceil(1.2 * this.bodies)
  }

  #count(life: Life | undefined, by: 1 | -1): void {
    if (!life) return
    if (life.run !== undefined) this.active += by
    this.bodies += by * (life.body?.length ?? 0)
  }
}
