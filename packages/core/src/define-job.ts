import type { StandardSchemaV1 } from '@standard-schema/spec'
import { JobportError } from './errors.ts'
import { checkJobName, checkQueueName } from './names.ts'
import { checkDefaults, type JobOptions } from './options.ts'
import type { Job } from './job.ts'
import type { Handler } from './middleware.ts'

export interface JobDefinitionOptions<In, Out> extends JobOptions {
  readonly name: string
  /** The only queue that takes it. Absent: all do. */
  readonly queue?: string
  /**
   * Any Standard Schema validator. It checks the payload before it is published, and again before it is handled: the
   * payload travels as the caller gave it, the handler gets what the schema makes of it.
   */
  readonly schema?: StandardSchemaV1<In, Out>
}

/** In one message. */
const MAX_ISSUES = 20

/** The schema found issues. What else a validator throws is a failure of its own. */
export class PayloadRefused extends JobportError {
  constructor(message: string) {
    super('INVALID_ARGUMENT', message)
  }
}

/** A kind of job, shared by the code that adds it and the code that handles it. */
export class JobDefinition<In = unknown, Out = In> {
  readonly name: string
  readonly queue: string | undefined
  readonly options: JobOptions
  readonly #schema: StandardSchemaV1<In, Out> | undefined

  constructor({ name, queue, schema, ...options }: JobDefinitionOptions<In, Out>) {
    checkJobName(name)
    if (queue !== undefined) checkQueueName(queue)
    checkDefaults(options)
    this.name = name
    this.queue = queue
    this.options = options
    this.#schema = schema
  }

  /** Binds a handler, for the list that `broker.worker` takes. */
  handler<Result>(handler: Handler<Job<Out>, Result>): BoundJob {
    return { definition: this, handler: handler as Handler }
  }

  /** What the schema makes of `data`. Throws `INVALID_ARGUMENT` with its issues, never with the payload. */
  async validate(data: unknown): Promise<Out> {
    if (!this.#schema) return data as Out
    const result = await this.#schema['~standard'].validate(data)
    if (!result.issues) return result.value
    throw new PayloadRefused(`${this.name}: ${result.issues.slice(0, MAX_ISSUES).map(describe).join('; ')}`)
  }

  /** Throws `INVALID_ARGUMENT` if the definition belongs to another queue. */
  checkQueue(queue: string): void {
    if (this.queue === undefined || this.queue === queue) return
    throw new JobportError('INVALID_ARGUMENT', `job '${this.name}' belongs to queue '${this.queue}', not '${queue}'`)
  }
}

export interface BoundJob {
  readonly definition: JobDefinition<unknown, unknown>
  readonly handler: Handler
}

/** Throws `INVALID_ARGUMENT` on a bad name or option. */
export function defineJob<In = unknown, Out = In>(options: JobDefinitionOptions<In, Out>): JobDefinition<In, Out> {
  return new JobDefinition(options)
}

function describe({ message, path = [] }: StandardSchemaV1.Issue): string {
  const at = path.map((segment) => String(typeof segment === 'object' ? segment.key : segment)).join('.')
  return at ? `${at}: ${message}` : message
}
