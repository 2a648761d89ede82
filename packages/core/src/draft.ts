import { JobDefinition } from './define-job.ts'
import { ENVELOPE_VERSION } from './envelope.ts'
import { normalise } from './json.ts'
import { checkJobName } from './names.ts'
import { checkAddOptions, type AddOptions, type JobOptions } from './options.ts'
import { newUid } from './uid.ts'
import type { Message } from './driver.ts'

/** What a caller wants stored, checked. */
export interface Draft {
  readonly message: Message
  /** Never below the payload's size in bytes. */
  readonly atMost: number
}

type Growing = { -readonly [Field in keyof Message]: Message[Field] }

const NONE: AddOptions = {}

/** A message with all that the caller decided, detached from the caller's objects. Throws `INVALID_ARGUMENT`. */
export function draftOf(
  queue: string,
  job: string | JobDefinition,
  data: unknown,
  defaults: JobOptions | undefined,
  options: AddOptions = NONE,
): Draft {
  if (options !== NONE) checkAddOptions(options)
  if (!(job instanceof JobDefinition)) return drafted(job, data, defaults ? { ...defaults, ...present(options) } : options)
  job.checkQueue(queue)
  return drafted(job.name, data, { ...defaults, ...present(job.options), ...present(options) })
}

/** An option that is `undefined` is absent: a default stands. */
function present<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>
}

function drafted(name: string, data: unknown, options: AddOptions): Draft {
  checkJobName(name)
  const uid = newUid()
  const normal = normalise(data)
  const { id = uid, attempts = 1, headers, backoff, timeout, priority, dedup, delay, at } = options
  const addedAt = Date.now()
  const message: Growing = {
    version: ENVELOPE_VERSION,
    id,
    uid,
    name,
    data: normal.data,
    headers: headers ? { ...headers } : {},
    addedAt,
    attempts,
  }
  const wait = Math.ceil(at ? at.getTime() - addedAt : (delay ?? 0))
  if (backoff) message.backoff = { ...backoff }
  if (timeout !== undefined) message.timeout = timeout
  if (wait > 0) message.delay = wait
  if (priority) message.priority = priority
  if (dedup) message.dedup = { ttl: dedup.ttl }
  return { message, atMost: normal.atMost }
}
