import { stored, type Entry } from './entry.ts'
import type { JobState, Page, QueueAdmin, QueueStatus, Scope, StoredJob } from '@jobport/core/driver'
import type { MemoryQueue } from './memory-queue.ts'
import type { MemoryStore } from './store.ts'

/** Looks into one queue of a store. A cursor is the order of the last job shown. */
export class MemoryAdmin implements QueueAdmin {
  readonly #name: string
  readonly #store: MemoryStore

  constructor(name: string, store: MemoryStore) {
    this.#name = name
    this.#store = store
  }

  async counts(): Promise<Record<JobState, number>> {
    const { waiting, delayed, active, dead } = this.#queue
    return { waiting: waiting.size, delayed: delayed.size, active, dead: dead.size }
  }

  async status(): Promise<QueueStatus> {
    const { paused, subscribers } = this.#queue
    return { paused, workers: subscribers.size > 0 ? 1 : 0 }
  }

  async get(id: string, scope: Scope): Promise<StoredJob | undefined> {
    const entry = scope === 'live' ? this.#queue.live(id) : this.#in('dead').find((dead) => dead.id === id)
    return entry && stored(entry)
  }

  async list(state: JobState, { limit, cursor }: { limit: number; cursor?: string }): Promise<Page> {
    const after = (entry: Entry): boolean => (state === 'dead' ? entry.order < Number(cursor) : entry.order > Number(cursor))
    const left = cursor === undefined ? this.#in(state) : this.#in(state).filter(after)
    const jobs = left.slice(0, limit)
    return { jobs: jobs.map(stored), ...(left.length > limit && { cursor: String(jobs.at(-1)!.order) }) }
  }

  async remove(key: string, scope: Scope): Promise<boolean> {
    if (scope === 'dead') return this.#queue.dead.delete(key)
    const entry = this.#queue.live(key)
    return entry !== undefined && this.#queue.remove(entry)
  }

  async purge(scope: Scope): Promise<number> {
    if (scope === 'live') return [...this.#queue.lives()].filter((entry) => this.#queue.remove(entry)).length
    const { size } = this.#queue.dead
    this.#queue.dead.clear()
    return size
  }

  async redrive(uid: string, as: { uid: string; attempts?: number }): Promise<'redriven' | 'duplicate' | 'missing'> {
    const entry = this.#queue.dead.get(uid)
    return entry ? this.#queue.redrive(entry, as.uid, as.attempts) : 'missing'
  }

  async pause(): Promise<void> {
    this.#queue.paused = true
  }

  async resume(): Promise<void> {
    this.#queue.paused = false
    this.#queue.dispatch()
  }

  async drop(): Promise<void> {
    this.#store.drop(this.#name)
  }

  get #queue(): MemoryQueue {
    return this.#store.queue(this.#name)
  }

  /** Newest death first, others in order of arrival. */
  #in(state: JobState): Entry[] {
    if (state === 'dead') return [...this.#queue.dead.values()].toReversed()
    return [...this.#queue.lives()].filter((entry) => entry.state === state)
  }
}
