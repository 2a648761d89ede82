import type { JobportError } from './errors.ts'
import type { JobError } from './job-error.ts'
import type { Lease } from './lease.ts'

/**
 * A broker as core sees it. Implement this to write an adapter.
 *
 * Core owns every decision, the driver owns every state. Whether a failed job runs again, when, and as which
 * attempt: core. Where a waiting, delayed, active or dead job rests and how it gets there: the driver, with its
 * broker's own primitives. The decision crosses this line as a value, the {@link Outcome}.
 *
 * Core calls no method but `connect` and `close` before `connect` has resolved once, and none but `close` after `close`.
 * It stops waiting for `connect` and {@link QueueAdmin} at their deadlines, with `TIMEOUT`. They get no signal, and may still act
 * later; with a frozen broker only `publish` and `close` must end by themselves.
 */
export interface Driver {
  /** Version of this interface. Core refuses a driver whose version it does not know. */
  readonly contract: 1
  /** Stable lower-case name, for errors and certificates: `bullmq`, `rabbitmq`. */
  readonly name: string
  /** Frozen, and the same for the same options. A server that cannot keep it is refused by `connect`. */
  readonly features: Features
  /**
   * Connects, or, when connected, costs one round trip: core's health check and watchdog call it again and again.
   * Rejects with `UNAVAILABLE`, `ACCESS_DENIED` or `SERVER_UNSUITABLE` and can then be called again.
   * Once connected, the driver reconnects by itself and tells the listener, and keeps the process alive until `close`.
   */
  connect(listener: DriverListener): Promise<ServerInfo>
  /**
   * Stores messages; one result per message, in order, each after the broker's strongest confirmation.
   * Never buffers while disconnected: `rejected` with `UNAVAILABLE`, and core asks again. May repeat a write of its own that it
   * can recognise by `uid`. Once `signal` fires it resolves at once, with `unknown` for whatever may have been stored. Not atomic.
   */
  publish(queue: string, messages: readonly Message[], options: { signal: AbortSignal }): Promise<PublishResult[]>
  /**
   * Delivers jobs of `queue`, never more than `prefetch` at once that nobody settles yet, renewing their leases until settled.
   * Without a broker it rejects with `UNAVAILABLE` within 5 s, and core calls again; or resolves, and begins once there is one.
   */
  consume(queue: string, deliver: (delivery: Delivery) => void, options: ConsumeOptions): Promise<Consumer>
  /** Looking into a queue and tending it. Cheap: no I/O, no state of its own. */
  admin(queue: string): QueueAdmin
  /**
   * Hands unsettled deliveries back at no cost in crashes and disconnects: their leases are lost here, and `settle` rejects with
   * `LEASE_LOST`. A settlement under way finishes or rejects. Idempotent; always ends, within 5 s.
   */
  close(): Promise<void>
}

/** What an adapter offers, as data. Core refuses whatever is `false` with `NOT_SUPPORTED` before any I/O. */
export interface Features {
  readonly delay: false | DelayFeature
  /** `dedup: { ttl }`: the id stays taken for `ttl` ms after it was added, even if the job has completed. Death and removal end that. */
  readonly dedup: false | { readonly maxTtl: number }
  /** Absent or 0 runs first, then 1 … 9. */
  readonly priority: boolean
  /** Equal priorities start in order of arrival for a lone worker at concurrency 1. */
  readonly ordered: boolean
  /** `pause` and `resume`, for all processes. */
  readonly pause: boolean
  /** `remove` of live jobs: of all, or only of those whose id the caller gave. `purge` empties the queue either way. */
  readonly cancel: false | 'given' | 'all'
  /** `get` and `list` of live jobs: of all, or only of those whose id the caller gave. Dead letters can always be read. */
  readonly inspect: false | 'given' | 'all'
  /** Jobs outlive this process and a restart of the broker; several processes may share a queue. */
  readonly durable: boolean
}

/** What delayed jobs can count on, ms. None starts early, whatever the figures. */
export interface DelayFeature {
  /** How late a job may start on an idle worker. */
  readonly granularity: number
  /** Longest wait. Core refuses a longer `delay` and cuts a longer wait before a retry. */
  readonly max: number
  /** Jobs of one priority whose due times lie at least this far apart start in order of due time, also when all are overdue. */
  readonly resolution: number
}

/** Told of faults after `connect` resolved. Calls are edges: `down` once, then `up` once. */
export interface DriverListener {
  down(error: Error): void
  up(): void
  /** Trouble that is not a change of state. */
  error(error: Error): void
}

export interface ServerInfo {
  /** Product and version as the server tells them: `redis 8.0.6`. */
  readonly server: string
  /** Largest payload in bytes of JSON. Core refuses a larger one with `PAYLOAD_TOO_LARGE` before any I/O. */
  readonly maxPayload: number
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** A job on its way to or from the broker. Drivers keep fields they do not know. */
export interface Message {
  /** Envelope version, see `ENVELOPE_VERSION`. A worker that meets a newer one releases the job. */
  readonly version: number
  /** The user's handle. Free again once the job is completed, dead or removed. */
  readonly id: string
  /** One life of a job; never used again. Equal to `id` when core made the id. Locks and settlements go by it. */
  readonly uid: string
  readonly name: string
  readonly data: Json
  readonly headers: Readonly<Record<string, string>>
  /** Epoch ms at which the job was added. */
  readonly addedAt: number
  /** Total runs allowed, at least 1. */
  readonly attempts: number
  readonly backoff?: Backoff
  /** Longest run in ms; core enforces it. */
  readonly timeout?: number
  /** Wait in ms before the first run, counted from `publish`. Absent: none. */
  readonly delay?: number
  /** 1 … 9. Absent: runs before all of them. */
  readonly priority?: number
  readonly dedup?: { readonly ttl: number }
}

export type PublishResult =
  | { readonly status: 'added' }
  /** A live job, or a dedup window, holds the id; nothing was stored. `uid` is the holder's, where known. */
  | { readonly status: 'duplicate'; readonly uid?: string }
  /** `rejected`: nothing was stored; the code is `REJECTED`, `UNAVAILABLE` or `ACCESS_DENIED`. `unknown`: it may have been. */
  | { readonly status: 'rejected' | 'unknown'; readonly error: JobportError }

/** Travels with the job, so that every worker on every broker reads the same rule. */
export interface Backoff {
  readonly type: 'fixed' | 'exponential'
  /** Wait before the second run, ms. */
  readonly delay: number
  /** Upper bound of any wait, ms. Default: none. */
  readonly max?: number
  /** Share of the wait that is random, taken off it: 0 (default) is none, 1 is all. */
  readonly jitter?: number
}

export interface ConsumeOptions {
  readonly prefetch: number
}

/** A running subscription. It outlives outages: the driver resumes it by itself. */
export interface Consumer {
  /**
   * No delivery arrives once it resolved. Never waits for unsettled ones, which stay leased and settleable until
   * `close`; jobs fetched but not delivered go back at no cost in crashes.
   */
  stop(): Promise<void>
  /** Epoch ms of the broker's last sign of life on this subscription. Core rebuilds one that falls silent. */
  readonly lastContact: number
}

/** One run of a job, in our hands, to be settled once. */
export interface Delivery {
  readonly message: Message
  /** The run that this delivery is, from 1. Moved by the outcome `again` and by nothing else. */
  readonly attempt: number
  /** Deliveries of this job that ended unsettled since it was added or redriven. A release or graceful stop is none. */
  readonly crashes: number
  /** The delivery just before this one was one of them. */
  readonly stalled: boolean
  /** Set when the stored bytes are no readable job: `message` then holds what could be saved of it. */
  readonly invalid?: JobError
  /** Lost when the job is no longer ours: its lease in the store, channel or connection is gone. */
  readonly lease: Lease
  /**
   * Resolves once the broker has confirmed it. Rejects with `LEASE_LOST` if the job is no longer ours; until then
   * the driver goes on trying through outages. Rejects with `REJECTED` if the broker refuses this outcome: the job stays
   * leased, and core settles it again, with less, or abandons it. After `UNAVAILABLE` or `TIMEOUT` core offers the same outcome up to
   * three times before it offers less.
   */
  settle(outcome: Outcome): Promise<void>
  /**
   * Gives up a job that cannot be settled: its lease is no longer renewed, and it no longer counts against `prefetch`.
   * The broker delivers it again as one crash more, once the lease has run out. Of no effect once it is settled or
   * lost. No I/O is waited for. Never throws.
   */
  abandon(): void
}

export type Outcome =
  | { readonly type: 'complete'; readonly result: Json }
  /** Run it in `delay` ms as run number `attempt`: a retry, or (attempt unchanged) later at no cost. */
  | { readonly type: 'again'; readonly delay: number; readonly attempt: number; readonly error?: JobError }
  /** Exactly as it was, at once, at no cost. Whether it comes before or behind its equals is the broker's. */
  | { readonly type: 'release' }
  /** Into the dead letters: the copy is confirmed before the original goes. */
  | { readonly type: 'dead'; readonly error: JobError; readonly reason: DeadReason }

/** `unknown`: the worker has no handler of that name. `invalid`: undecodable, or refused by its schema. */
export type DeadReason = 'attempts' | 'unrecoverable' | 'crashes' | 'invalid' | 'unknown'

/** An open union: later versions may add states. */
export type JobState = 'waiting' | 'delayed' | 'active' | 'dead'

/** A queue seen by its keeper. Works on a queue that does not exist yet: it is empty. */
export interface QueueAdmin {
  /** Exact when nothing moves. A job whose due time has passed is `waiting`, whether or not a worker has looked for it. */
  counts(): Promise<Record<JobState, number>>
  status(): Promise<QueueStatus>
  /** The live job that holds `id`, or the newest dead letter of that id. */
  get(id: string, scope: Scope): Promise<StoredJob | undefined>
  /** Dead ones newest first, others in a stable order. `limit` is an upper bound. */
  list(state: JobState, page: { readonly limit: number; readonly cursor?: string }): Promise<Page>
  /**
   * Live: removes the waiting or delayed job that holds the *id*, and answers `true` only if it will never run.
   * Dead: removes the dead letter of that *uid*.
   */
  remove(key: string, scope: Scope): Promise<boolean>
  /**
   * Live: removes all waiting and delayed jobs, no other; also those that `cancel: 'given'` cannot name one by one.
   * Dead: all dead letters. Frees ids. Returns how many were removed.
   */
  purge(scope: Scope): Promise<number>
  /**
   * Makes the dead letter of `uid` live again under `as.uid`, as attempt 1 with no crashes, without its `delay` and `dedup`.
   * The live copy is confirmed before the dead letter goes: a crash between the two may double, never lose.
   */
  redrive(uid: string, as: { readonly uid: string; readonly attempts?: number }): Promise<'redriven' | 'duplicate' | 'missing'>
  /** Once resolved nothing starts anywhere until `resume`; running jobs finish. Survives restarts. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** Removes the queue and all that belongs to it from the broker. */
  drop(): Promise<void>
}

export type Scope = 'live' | 'dead'

export interface QueueStatus {
  readonly paused: boolean
  /** Processes that consume this queue now, however many drivers and workers each has; from when its `consume` has resolved. */
  readonly workers: number
}

export interface Page {
  readonly jobs: readonly StoredJob[]
  /** Present when there may be more. */
  readonly cursor?: string
}

/** A job at rest. */
export interface StoredJob {
  readonly message: Message
  readonly state: JobState
  /** The run it is in, or that comes next; of a dead one, the last. */
  readonly attempt: number
  readonly crashes: number
  /** Epoch ms; of a delayed job. */
  readonly dueAt?: number
  /** Of a dead one: why, and since when (epoch ms). */
  readonly dead?: { readonly reason: DeadReason; readonly error: JobError; readonly at: number }
}
