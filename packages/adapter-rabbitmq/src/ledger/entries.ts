import type { DeadReason, JobError } from '@jobport/core/driver'
import type { Dead, Fate, Life } from './records.ts'

/**
 * Version of the rules by which the log is folded. Raised with every change that gives another state or answer;
 * a follower that meets a higher one stops.
 */
export const RULES = 1

/**
 * One transition of one job, decided by its place in the log. `id` is the user's handle, `uid` one life; each
 * physical message of a life carries a `copy`, each run of it a `run`: fresh random tokens. Instants are epoch ms.
 */
export type Entry =
  | Claim
  | Probe
  | Start
  | End
  | Again
  | Death
  | Buried
  | Cleared
  | Release
  | Remove
  | Purge
  | Dropped
  | Open
  | Begin
  | Part

/** The life asks for its id. Its message is already confirmed by a queue. Idempotent by `uid`. */
export interface Claim {
  readonly type: 'claim'
  readonly id: string
  readonly uid: string
  /** Token of the message just published; of an adoption: of the one in hand. */
  readonly copy: string
  /** `Ledger.seen` before the message was published, as its headers say: an older claim than the log remembers is `stale`. */
  readonly seen: number
  /** End of the dedup window. Absent: none. */
  readonly until?: number
  readonly dueAt?: number
  /** The dead letter that is redriven. Without it the life is a new one. */
  readonly from?: { readonly uid: string; readonly letter: string }
  /**
   * The job for `get` and `list`, opaque to the ledger. At most 4 Mi characters. Every follower holds it in memory, and
   * every snapshot carries it, as long as the life lasts; all of them must fit into a quarter of the retention.
   */
  readonly body?: string
}

/** Is the id taken? Changes nothing. */
export interface Probe {
  readonly type: 'probe'
  readonly id: string
}

/** A worker holds the message `copy` and wants to run it as `run`. Idempotent by `run`. */
export interface Start {
  readonly type: 'start'
  readonly uid: string
  readonly run: string
  readonly copy: string
  /** How often the broker has handed this message out: `x-acquired-count`, else `x-delivery-count`, else 0. */
  readonly tok: number
  /** The run that it replaces, as `busy` named it. */
  readonly over?: string
}

/** Completed. */
export interface End {
  readonly type: 'end'
  readonly uid: string
  readonly run: string
}

/** Runs again: the message `copy` is confirmed by a queue and becomes the current one. */
export interface Again {
  readonly type: 'again'
  readonly uid: string
  readonly run: string
  readonly copy: string
  readonly attempt: number
  readonly dueAt?: number
}

/** Dead: append this first, publish the dead letter next, then `buried`. */
export interface Death {
  readonly type: 'dead'
  readonly uid: string
  readonly run: string
  readonly reason: DeadReason
  /** Remembered until `buried`, so that whoever finds the job half buried can finish. */
  readonly error: JobError
}

/** The dead letter `letter` is confirmed by a queue. The first one is the valid one. */
export interface Buried {
  readonly type: 'buried'
  readonly uid: string
  readonly letter: string
}

/** The dead letter is about to leave its queue: removed, or redriven. */
export interface Cleared {
  readonly type: 'cleared'
  readonly uid: string
}

/** Back as it was: the message in hand is returned to its queue next. */
export interface Release {
  readonly type: 'release'
  readonly uid: string
  readonly run: string
}

/** Removes the waiting or delayed holder of the id. Its message is dropped when it is delivered. */
export interface Remove {
  readonly type: 'remove'
  readonly id: string
}

/** Removes all waiting and delayed lives at once. */
export interface Purge {
  readonly type: 'purge'
}

/** The last message of a life that lost its claim or was removed is about to be acknowledged. */
export interface Dropped {
  readonly type: 'dropped'
  readonly uid: string
  readonly copy: string
}

/**
 * A writer that reads this back has read everything before it. The first one founds the log: it names its epoch,
 * and for how many entries finished lives are remembered.
 */
export interface Open {
  readonly type: 'open'
  readonly epoch: string
  readonly memory: number
}

/** The writer offers to write a snapshot of the state after this entry. One at a time. */
export interface Begin {
  readonly type: 'begin'
}

/** A piece of the snapshot begun at offset `of`; the bytes follow the message's first line. */
export interface Part {
  readonly type: 'part'
  readonly of: number
  /** From 0, without gaps. */
  readonly index: number
  readonly last: boolean
}

/** What the log decided, by type of entry. Any entry can be `stale`: its writer had not read for longer than the log remembers. */
export interface Answers {
  readonly claim:
    | { readonly status: 'accepted' }
    | { readonly status: 'duplicate'; readonly uid: string }
    | { readonly status: 'missing' }
    | Stale
  readonly probe: { readonly status: 'free' } | { readonly status: 'taken'; readonly uid: string } | Stale
  readonly start: /** `stalled`: it replaced a run that never settled. */
    | { readonly status: 'started'; readonly life: Life; readonly stalled: boolean }
    /** Another run owns it: name it in `over`, unless `tok` is older than its own. */
    | { readonly status: 'busy'; readonly run: string; readonly tok: number }
    /** Not the current message of the life, and now it never can be. */
    | { readonly status: 'burned' }
    | { readonly status: 'gone'; readonly fate: Exclude<Fate, Life> | undefined }
    | Stale
  readonly end: Ok | Refused | Stale
  /** `burned`: the message of that token was given up by whoever received it too early; publish another. */
  readonly again: Ok | Refused | { readonly status: 'burned' } | Stale
  readonly dead: { readonly status: 'ok'; readonly dead: Dead } | Refused | Stale
  readonly buried: Ok | Refused | { readonly status: 'other'; readonly letter: string } | Stale
  readonly cleared: Ok | Refused | Stale
  readonly release: Ok | Refused | Stale
  readonly remove: { readonly status: 'removed'; readonly uid: string } | { readonly status: 'active' | 'unknown' } | Stale
  readonly purge: { readonly status: 'purged'; readonly count: number } | Stale
  readonly dropped: Ok | Refused | Stale
  readonly open: Ok | Stale
  readonly begin: Ok | Refused | Stale
  readonly part: Ok | Refused | Stale
}

export type Answer = Answers[Entry['type']]
/** As `Ledger.append` resolves: what is stale is appended anew, but for a claim, whose job may have run and ended. */
export type AnswerTo<E extends Entry> = E extends Claim ? Answers['claim'] : Exclude<Answers[E['type']], Stale>

interface Ok {
  readonly status: 'ok'
}

/** Not the owner, or not in that state. Nothing changed. */
interface Refused {
  readonly status: 'refused'
}

interface Stale {
  readonly status: 'stale'
}

/** One message of the log. */
export interface Batch {
  readonly rules: number
  /** The log that its writer means; empty while it does not know one. */
  readonly epoch: string
  /** Random, one per process and connection to a log. */
  readonly writer: string
  /** From 1. What is not newer than the last folded one of its writer is a repeat. */
  readonly seq: number
  /** How many entries its writer had folded. */
  readonly seen: number
  /** Offset at which the newest complete snapshot known to its writer began; -1 without one. */
  readonly snapshot: number
  /** Its writer's clock. */
  readonly at: number
  readonly entries: readonly Entry[]
}
