import type { JobState, Scope } from '@jobport/core/driver'
import type { Note } from './note.ts'

/** Where BullMQ keeps a job. */
export type State = JobState | 'completed' | 'other'

/** What {@link Ledger.look} sees of a job, beside what BullMQ shows. */
export interface Look {
  /** A job whose time has come is waiting, whether BullMQ has moved it or not. */
  readonly state?: State
  /** Epoch ms; of a delayed job. */
  readonly dueAt?: number
  readonly note: Note
  /** Times BullMQ has started it, failed or completed it, found it stalled. */
  readonly started: number
  readonly made: number
  readonly stalls: number
}

/** What a job that BullMQ keeps as a delayed one is. `due` is epoch ms. */
export function dueLook(due: number): Pick<Look, 'state' | 'dueAt'> {
  return due > Date.now() ? { state: 'delayed', dueAt: due } : { state: 'waiting' }
}

/** A record that BullMQ itself cannot read, as far as it goes. Times are epoch ms. */
export interface Raw {
  readonly uid: string
  readonly name: string
  readonly data: string
  readonly timestamp?: number
  /** Of a dead one, as is the following. */
  readonly failedReason?: string
  readonly finishedOn?: number
}

/** A worker's hold on a job. */
export interface LeaseKey {
  readonly uid: string
  readonly token: string
}

/** Taken by `note` from a job on its way out. */
export interface Window {
  readonly id: string
  /** ms for which the id stays taken. */
  readonly left: number
}

/**
 * One queue's identities and dead letters: what BullMQ has no call for. Each call is one atomic step of the store.
 * Written once for Redis and once for PostgreSQL.
 */
export interface Ledger {
  /** Frees `id` if `holder`, which BullMQ names as its holder, is in truth over. Answers whether it is free now. */
  free(id: string, holder: string): Promise<boolean>
  /** Just before a lease ends: sets the note and the dedup window, if it is still held, ahead of what the worker does next. */
  note(lease: LeaseKey, note: Note | undefined, window: Window | undefined): Promise<void>
  /** At a further delivery: takes the id back, unless another job holds it now, and reads the note. */
  recall(lease: LeaseKey, id: string | undefined): Promise<Note>
  look(uids: readonly string[]): Promise<Look[]>
  /** As {@link Look} tells states. */
  counts(): Promise<Record<JobState, number>>
  /** The record that is active under `token`. */
  salvage(token: string): Promise<Raw | undefined>
  raw(uid: string): Promise<Raw | undefined>
  /** The uid of the live job that holds `id`. */
  live(id: string): Promise<string | undefined>
  /** The uid of the newest dead letter of `id`. */
  dead(id: string): Promise<string | undefined>
  page(state: JobState, limit: number, cursor: string | undefined): Promise<{ uids: string[]; cursor?: string }>
  /** Removes the waiting or delayed job that holds `id`. `native`: it belongs to a flow or a scheduler. */
  remove(id: string): Promise<boolean | { readonly native: string }>
  /** Removes the dead letter `uid`. */
  bury(uid: string): Promise<boolean | { readonly native: string }>
  /** Removes what waits or what is dead. `left`: how many belong to flows or schedulers. */
  purge(scope: Scope): Promise<{ removed: number; left: number }>
  redrive(
    uid: string,
    as: { readonly uid: string; readonly attempts?: number },
  ): Promise<'redriven' | 'duplicate' | 'missing' | 'native'>
  /** What `obliterate` leaves behind. */
  sweep(): Promise<void>
}
