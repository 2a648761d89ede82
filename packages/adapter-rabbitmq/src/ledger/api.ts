import type { ConfirmChannel } from 'amqplib'
import type { JobState } from '@jobport/core/driver'
import type { AnswerTo, Claim, Entry } from './entries.ts'
import type { Dead, Fate, Life, Tomb } from './records.ts'

/**
 * The ledger of one queue: a log of job transitions in a stream, folded by every process with one pure function.
 *
 *     const ledger = new Ledger({ stream: 'jobport.orders.ledger', open: () => connection.createConfirmChannel(), listener })
 *     await ledger.start()                                                      // declares, loads, catches up
 *     // add: taken? → publish the message with { copy, seen: ledger.seen, epoch: ledger.epoch } → claim
 *     const holder = await ledger.taken(id)                                     // the log's word, not a guess
 *     const { status } = await ledger.append({ type: 'claim', id, uid, copy, seen, body })
 *     // deliver
 *     const verdict = await ledger.take({ uid, copy, tok, epoch, adopt }, { usable: () => !channelClosed })
 *     // settle
 *     const answer = await ledger.append({ type: 'end', uid, run: verdict.run })    // refused → LEASE_LOST, then await ledger.left(uid)
 *
 * Reads (`get`, `list`, `counts`) are of the local state: `await ledger.sync()` first to include all that was
 * confirmed anywhere before the call.
 */
export interface LedgerApi {
  /** Rejects with `UNAVAILABLE`, `ACCESS_DENIED` or `SERVER_UNSUITABLE` and can be called again. Afterwards it reconnects by itself. */
  start(): Promise<void>
  /** Ends following. What was appended and not read back rejects. */
  close(): Promise<void>

  /**
   * Resolves with the log's answer, once read back; sent again over reconnects. Rejects with `UNAVAILABLE` (nothing
   * was appended), `UNCONFIRMED` (it may have been), `REJECTED` (a claim that has no room), or `CLOSED`.
   */
  append<E extends Entry>(entry: E, options?: AppendOptions): Promise<AnswerTo<E>>
  /** Resolves once everything that was in the log is folded here. */
  sync(options?: AppendOptions): Promise<void>
  /** Whether nobody holds the id, as far as is known here. */
  isFree(id: string): boolean
  /** The uid that holds the id, decided by the log if the local state says that one does; no I/O if it says free. */
  taken(id: string, options?: AppendOptions): Promise<string | undefined> | undefined
  /** May this delivery run? Appends `start`, and what else it takes. */
  take(delivery: InHand, options: TakeOptions): Promise<Verdict>
  /** Resolves once no run owns the life, at the latest after `ms` (default 10,000): then hand the message back. */
  left(uid: string, ms?: number): Promise<void>
  /** Calls `seen` after each entry about the life from now on, until it answers `true`. */
  watch(uid: string, seen: () => boolean): void
  /** Resolves with `true` once `settled` says so of the life's fate, with `false` after `ms`. */
  until(uid: string, settled: (fate: Fate | undefined) => boolean, ms: number): Promise<boolean>

  /** Of the log; empty before `start`. Messages carry it: one of another epoch is adopted, never dropped. */
  readonly epoch: string
  /** Entries folded. Messages carry it. */
  readonly seen: number
  readonly state: StateView
}

/** The fold's state; changes only between turns of the event loop. */
export interface StateView {
  /** The life that holds the id. */
  holder(id: string): Life | undefined
  fate(uid: string): Fate | undefined
  /** By wall clock `now` (default: the present): a delayed life that is due is waiting. */
  counts(now?: number): Record<JobState, number>
  /** Live ones in order of their claims. The cursor is that of the last page. */
  list(
    state: 'waiting' | 'delayed' | 'active',
    page: { limit: number; cursor?: string },
    now?: number,
  ): { lives: readonly Life[]; cursor?: string }
  /** Lives that are over while their messages still lie in a queue. */
  tombs(): Iterable<Tomb>
  /** Those whose dead letter is not known to be cleared, oldest first. */
  dead(): Iterable<Dead>
  /** sha256 of the whole state; equal for all followers that folded the same entries. Costs about 1 ms per 1,000 lives. */
  digest(): string
}

export interface LedgerOptions {
  /** Name of the stream. */
  readonly stream: string
  /** Opens a channel on a live connection, or rejects; called again for every reconnect. `noDelay` should be on. */
  readonly open: () => Promise<ConfirmChannel>
  /** `x-max-length-bytes`, fixed for the life of the stream. Default 256 MiB: about 250,000 live ids with small bodies. */
  readonly retention?: number
  /** `x-stream-max-segment-size-bytes`, likewise. Default 8 MB. */
  readonly segment?: number
  /** Entries for which finished lives are remembered; of a log that exists: what its first entry says. Default 100,000. */
  readonly memory?: number
  /** Fewest entries between two snapshots. Default 50,000. */
  readonly snapshotEvery?: number
  readonly listener: LedgerListener
}

export interface LedgerListener {
  /** The log cannot be followed now; edges, like `DriverListener`'s. */
  down(error: Error): void
  up(): void
  /** Trouble that passes, such as a ledger that was deleted or recreated (`epoch` is another then). */
  error(error: Error): void
}

export interface AppendOptions {
  /** Ends the wait. Default: 10 s. */
  readonly signal?: AbortSignal
}

/** A message as it was delivered. */
export interface InHand {
  readonly uid: string
  readonly copy: string
  readonly tok: number
  /**
   * How to claim on behalf of a producer that never did. Give it for the first message of a life (not for copies
   * that `again` published); of another epoch, for any.
   */
  readonly adopt?: Omit<Claim, 'type'>
  /** The epoch that the message carries. */
  readonly epoch: string
}

export interface TakeOptions extends AppendOptions {
  /** The delivery's channel is still the same and open. */
  readonly usable: () => boolean
}

export type Verdict =
  /** Run it now, as `run`. */
  | { readonly type: 'run'; readonly run: string; readonly life: Life; readonly stalled: boolean }
  /** It must not run: acknowledge it. */
  | { readonly type: 'drop' }
  /** Dead without a dead letter: publish one from this message, append `buried`, acknowledge. */
  | { readonly type: 'bury'; readonly dead: Dead }
  /** No live job is known to own it: into the dead letters, reason `unknown`, acknowledge. */
  | { readonly type: 'unknown' }
  /** Another run owns it, or the channel is gone: hand the message back. */
  | { readonly type: 'busy' }
