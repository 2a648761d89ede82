import type { DeadReason } from '@jobport/core/driver'
import type { Job, Worker } from '@jobport/core'
import type { Report } from './child.ts'
import type { HistoryEvent } from './history.ts'

export interface Entry {
  readonly event: 'active' | 'completed' | 'failed' | 'dead' | 'stalled'
  readonly id: string
  readonly uid: string
  readonly name: string
  readonly attempt: number
  readonly crashes: number
  /** ms on the clock of `Date.now`. */
  readonly at: number
  readonly error?: Error
  readonly retryIn?: number | null
  readonly reason?: DeadReason
}

/** Everything that a case's workers told, in order. */
export class Story {
  readonly entries: Entry[] = []
  readonly errors: Error[] = []

  /** Listens to all that `worker` tells. */
  follow(worker: Worker): void {
    worker.on('active', (job) => this.#add('active', job))
    worker.on('completed', (job) => this.#add('completed', job))
    worker.on('stalled', (job) => this.#add('stalled', job))
    worker.on('failed', (job, error, retryIn) => this.#add('failed', job, { error, retryIn }))
    worker.on('dead', (job, error, reason) => this.#add('dead', job, { error, reason }))
    worker.on('error', (error) => void this.errors.push(error))
  }

  /** As a process of its own would tell it. */
  reports(): Report[] {
    return this.of('active').map(({ id, uid, attempt, crashes, at }) => ({ type: 'active', id, uid, attempt, crashes, at }))
  }

  of(event: Entry['event'], id?: string): Entry[] {
    return this.entries.filter((entry) => entry.event === event && (id === undefined || entry.id === id))
  }

  /** The ids, in the order in which the event happened to them. */
  ids(event: Entry['event']): string[] {
    return this.of(event).map(({ id }) => id)
  }

  /** Those of `ids` that have not completed yet. */
  missing(ids: readonly string[]): string[] {
    const done = new Set(this.ids('completed'))
    return ids.filter((id) => !done.has(id))
  }

  /** For the history checker. */
  history(): HistoryEvent[] {
    return causal(this.entries).flatMap(({ event, uid, at, retryIn }): HistoryEvent[] => {
      if (event === 'active') return [{ type: 'started', uid, at }]
      if (event === 'failed') return retryIn === null ? [] : [{ type: 'failed', uid }]
      return event === 'stalled' ? [] : [{ type: event, uid }]
    })
  }

  /** How often each event happened. */
  tally(): Record<string, number> {
    const tally: Record<string, number> = {}
    for (const { event } of this.entries) tally[event] = (tally[event] ?? 0) + 1
    return tally
  }

  #add(event: Entry['event'], { id, uid, name, attempt, crashes }: Job, rest: Partial<Entry> = {}): void {
    this.entries.push({ event, id, uid, name, attempt, crashes, at: Date.now(), ...rest })
  }
}

/**
 * A run's number moves by the settlement of the run before it and by nothing else, so that came first, although another
 * worker may tell of its start before the first one tells of its failure.
 */
function causal(entries: readonly Entry[]): Entry[] {
  const ordered: Entry[] = []
  for (const entry of entries) {
    const next = ordered.findIndex(
      ({ event, uid, attempt }) => event === 'active' && uid === entry.uid && attempt === entry.attempt + 1,
    )
    ordered.splice(entry.event === 'failed' && next >= 0 ? next : ordered.length, 0, entry)
  }
  return ordered
}
