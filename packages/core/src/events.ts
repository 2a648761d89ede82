import { AsyncLocalStorage } from 'node:async_hooks'
import { EventEmitter } from 'node:events'
import { JobportError } from './errors.ts'
import { toError, toJobError } from './job-error.ts'
import { isThenable } from './thenable.ts'
import type { DeadReason } from './driver.ts'
import type { Job } from './job.ts'

/** Each once per transition, after the broker knows. */
export interface WorkerEvents<AnyJob = Job> {
  active: [job: AnyJob]
  completed: [job: AnyJob, result: unknown]
  /** A run failed. `retryIn` is the wait before the next one in ms, `null` when it was the last. */
  failed: [job: AnyJob, error: Error, retryIn: number | null]
  /** The job rests in the dead letters. */
  dead: [job: AnyJob, error: Error, reason: DeadReason]
  /** This worker received a job whose last worker was lost. */
  stalled: [job: AnyJob]
  /** Trouble outside any run: a lost connection or lease, a settlement that the broker refuses, a listener that threw. */
  error: [error: Error]
}

export interface BrokerEvents {
  /** The connection is gone; the driver reconnects by itself. */
  down: [error: Error]
  up: []
  error: [error: Error]
}

/**
 * An `EventEmitter` that knows its events: `on` of any other name throws `INVALID_ARGUMENT`. A listener that throws is
 * reported as `error`; an `error` that nobody hears becomes a process warning, never silence, never a crash.
 */
export class Emitter<Events extends { [Name in keyof Events]: unknown[] } & { error: [Error] }> extends EventEmitter<
  EventMap<Events>
> {
  /** Runs what it is given in the async context in which this object was made. */
  protected readonly inContext: ReturnType<typeof AsyncLocalStorage.snapshot> = AsyncLocalStorage.snapshot()
  readonly #guard: (name: unknown) => void

  constructor(known: readonly (keyof Events & string)[]) {
    super()
    const names: ReadonlySet<unknown> = new Set([...known, ...NODES_OWN])
    this.#guard = (name) => {
      if (names.has(name)) return
      throw new JobportError('INVALID_ARGUMENT', `there is no event '${String(name)}'; known: ${known.join(', ')}`)
    }
    this.#plain.on('newListener', this.#guard)
  }

  override removeAllListeners(name?: unknown): this {
    this.#plain.off('newListener', this.#guard)
    super.removeAllListeners(name as never)
    this.#plain.on('newListener', this.#guard)
    return this
  }

  /** What core calls to tell the listeners. */
  protected notify<Name extends keyof Events & string>(name: Name, ...args: Events[Name]): void {
    if (this.#plain.listenerCount(name) > 0) return this.inContext(() => this.#tell(name, args))
    if (name === 'error') warn(args[0] as Error)
  }

  #tell<Name extends keyof Events & string>(name: Name, args: Events[Name]): void {
    // the raw ones: those of `once` take themselves away
    for (const listener of this.#plain.rawListeners(name)) {
      try {
        const returned: unknown = listener.apply(this, args)
        if (isThenable(returned)) Promise.resolve(returned).catch((thrown: unknown) => this.#complain(name, thrown))
      } catch (thrown) {
        this.#complain(name, thrown)
      }
    }
  }

  get #plain(): EventEmitter {
    return this
  }

  #complain(name: string, thrown: unknown): void {
    if (name === 'error') return warn(toError(thrown))
    this.notify('error', ...([toError(thrown)] as Events['error']))
  }
}

/** In the shape that `EventEmitter` wants. */
type EventMap<Events> = { [Name in keyof Events]: Events[Name] extends unknown[] ? Events[Name] : never }

/** What `EventEmitter` tells of itself. */
const NODES_OWN = ['newListener', 'removeListener']

function warn(thrown: Error): void {
  const { message, stack = '' } = toJobError(thrown)
  process.emitWarning(message, { type: 'JobportWarning', detail: stack })
}
