import { JobDefinition, type BoundJob } from './define-job.ts'
import { JobportError } from './errors.ts'
import { compose, type Handler, type Middleware } from './middleware.ts'
import { checkJobName } from './names.ts'
import type { JobOf } from './job.ts'

/** One function for every name, a function per name, or definitions bound to their handlers. */
export type Handlers<Jobs extends object> =
  | Handler<JobOf<Jobs>>
  | { readonly [Name in keyof Jobs & string]?: Handler<JobOf<Jobs, Name>> }
  | readonly BoundJob[]

interface Entry {
  readonly handler: Handler
  readonly definition?: JobDefinition<unknown, unknown>
}

/** Finds the handler of a job name, wrapped in the worker's middleware. */
export class HandlerMap {
  readonly #any: Entry | undefined
  readonly #byName = new Map<string, Entry>()

  /** Throws `INVALID_ARGUMENT`. */
  constructor(queue: string, handlers: unknown, middleware: readonly Middleware[]) {
    const wrap = (handler: unknown, what: string): Handler => {
      if (typeof handler !== 'function') throw new JobportError('INVALID_ARGUMENT', `${what} must be a function`)
      return compose(middleware, handler as Handler)
    }
    if (Array.isArray(handlers)) {
      for (const bound of handlers as readonly unknown[]) {
        if (!isBound(bound))
          throw new JobportError('INVALID_ARGUMENT', 'a list of handlers holds what `defineJob(…).handler(…)` gives')
        const { definition, handler } = bound
        definition.checkQueue(queue)
        this.#set(definition.name, { definition, handler: wrap(handler, `the handler of '${definition.name}'`) })
      }
    } else if (typeof handlers === 'object' && handlers !== null) {
      for (const [name, handler] of Object.entries(handlers))
        this.#set(name, { handler: wrap(handler, `the handler of '${name}'`) })
    } else {
      this.#any = { handler: wrap(handlers, 'the handler') }
    }
    if (!this.#any && this.#byName.size === 0) throw new JobportError('INVALID_ARGUMENT', 'a worker needs at least one handler')
  }

  find(name: string): Entry | undefined {
    return this.#any ?? this.#byName.get(name)
  }

  #set(name: string, entry: Entry): void {
    checkJobName(name)
    if (this.#byName.has(name)) throw new JobportError('INVALID_ARGUMENT', `'${name}' has two handlers`)
    this.#byName.set(name, entry)
  }
}

function isBound(value: unknown): value is BoundJob {
  return (value as Partial<BoundJob> | null)?.definition instanceof JobDefinition
}
