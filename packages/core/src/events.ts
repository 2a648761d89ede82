import { EventEmitter } from 'node:events'
import { toError } from './errors.ts'
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
  /** Trouble outside any run: a lost connection or lease, a listener that threw. */
  error: [error: Error]
}

export interface BrokerEvents {
  /** The connection is gone; the driver reconnects by itself. */
  down: [error: Error]
  up: []
  error: [error: Error]
}

/**
 * An `EventEmitter` that knows its events. A listener that throws is reported as `error`; an `error` that nobody hears
 * becomes a process warning, never silence, never a crash.
 */
export class Emitter<Events extends { [Name in keyof Events]: unknown[] } & { error: [Error] }> {
  readonly #emitter = new EventEmitter()

  on<Name extends keyof Events & string>(name: Name, listener: (...args: Events[Name]) => void): this {
    this.#emitter.on(name, listener as (...args: unknown[]) => void)
    return this
  }

  off<Name extends keyof Events & string>(name: Name, listener: (...args: Events[Name]) => void): this {
    this.#emitter.off(name, listener as (...args: unknown[]) => void)
    return this
  }

  protected emit<Name extends keyof Events & string>(name: Name, ...args: Events[Name]): void {
    if (this.#emitter.listenerCount(name) === 0) return name === 'error' ? warn(args[0] as Error) : undefined
    for (const listener of this.#emitter.listeners(name)) {
      try {
        const returned = (listener as (...args: Events[Name]) => unknown)(...args)
        if (returned instanceof Promise) returned.catch((thrown: unknown) => this.#complain(name, thrown))
      } catch (thrown) {
        this.#complain(name, thrown)
      }
    }
  }

  #complain(name: string, thrown: unknown): void {
    if (name === 'error') return warn(toError(thrown))
    this.emit('error', ...([toError(thrown)] as Events['error']))
  }
}

function warn(error: Error): void {
  process.emitWarning(error.message, { type: 'JobportWarning', detail: error.stack ?? '' })
}
