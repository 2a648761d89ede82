import { JobportError } from '@jobport/core/driver'
import type { Names } from './names.ts'
import type { Settings } from './settings.ts'

/** Between two looks at the queues that were fit before, ms. */
const INTERVAL = 30_000
const DEADLINE = 5_000
const PAGE = 500

/** A queue as RabbitMQ's management interface shows it. */
export interface Shown {
  readonly name: string
  readonly type?: string
  readonly policy?: string | null
  readonly operator_policy?: string | null
  readonly effective_policy_definition?: Readonly<Record<string, unknown>>
}

/**
 * The policies that apply to our queues, which AMQP does not tell: RabbitMQ's management interface does, to users with the tag
 * `management`. Asked only if the option `management` says where it is.
 */
export class ServerPolicies {
  readonly #settings: Settings
  readonly #report: (error: JobportError) => void
  readonly #watched = new Map<string, Names>()
  /** By queue, or of the interface: what was told and still stands. */
  readonly #told = new Map<string, string>()
  #timer: NodeJS.Timeout | undefined
  #isLooking = false
  #isClosed = false

  constructor(settings: Settings, report: (error: JobportError) => void) {
    this.#settings = settings
    this.#report = report
  }

  /** Rejects with `SERVER_UNSUITABLE` if a policy loses jobs or runs them early. What cannot be seen is reported, and no fault. */
  async check(names: Names): Promise<void> {
    if (this.#settings.management === undefined) return
    const fault = await this.#faultOf(names)
    if (fault) throw fault
    if (this.#isClosed) return
    this.#watched.set(names.work, names)
    this.#timer ??= setInterval(() => void this.#look(), INTERVAL).unref()
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#timer)
  }

  async #look(): Promise<void> {
    // an interface that hangs takes longer than the interval
    if (this.#isLooking) return
    this.#isLooking = true
    try {
      for (const names of this.#watched.values()) this.#tell(names.work, await this.#faultOf(names))
    } finally {
      this.#isLooking = false
    }
  }

  async #faultOf(names: Names): Promise<JobportError | undefined> {
    try {
      const shown = await this.#shown(names)
      this.#tell('', undefined)
      const faults = shown.flatMap((queue) => faultsOf(queue, names))
      if (faults.length === 0) return undefined
      const others = faults.length > 1 ? `, and ${faults.length - 1} more` : ''
      return new JobportError('SERVER_UNSUITABLE', `${faults[0]}${others}: jobs would be lost, or run early`)
    } catch (error) {
      const told = error instanceof JobportError ? error : unseen(error as Error)
      this.#tell('', told)
      return undefined
    }
  }

  /** Once, until it changes. */
  #tell(what: string, fault: JobportError | undefined): void {
    if (this.#isClosed) return
    const before = this.#told.get(what)
    if (!fault) return void this.#told.delete(what)
    this.#told.set(what, fault.message)
    if (before !== fault.message) this.#report(fault)
  }

  async #shown({ work, delays }: Names): Promise<Shown[]> {
    const chain = delays.out.slice(0, -'out'.length)
    const name = `^(${literal(work)}(:|$)|${literal(chain)})`
    const query = new URLSearchParams({ page: '1', page_size: String(PAGE), name, use_regex: 'true', disable_stats: 'true' })
    const { items } = await this.#get<{ items: Shown[] }>(`?${query.toString()}&enable_queue_totals=true`)
    return Promise.all(items.map((queue) => this.#whole(queue)))
  }

  /** The short form of a stream names its policy only. */
  async #whole(queue: Shown): Promise<Shown> {
    if (!queue.policy || queue.effective_policy_definition) return queue
    return this.#get<Shown>(`/${encodeURIComponent(queue.name)}`)
  }

  async #get<T>(path: string): Promise<T> {
    const { management = '', vhost, username, password } = this.#settings
    const url = new URL(management)
    const user = url.username
      ? `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
      : `${username}:${password}`
    const place = `${url.origin}${url.pathname.replace(/\/$/, '')}/api/queues/${encodeURIComponent(vhost)}${path}`
    const authorization = `Basic ${Buffer.from(user).toString('base64')}`
    const response = await fetch(place, { headers: { authorization }, signal: AbortSignal.timeout(DEADLINE), redirect: 'error' })
    if (response.ok) return (await response.json()) as T
    const isDenied = response.status === 401 || response.status === 403
    throw new JobportError(
      isDenied ? 'ACCESS_DENIED' : 'UNAVAILABLE',
      `policies cannot be seen: the management interface answers ${response.status}${isDenied ? ", the user needs the tag 'management'" : ''}`,
    )
  }
}

/** What is wrong with the policies of a queue of ours. */
export function faultsOf(queue: Shown, { work, failed }: Pick<Names, 'work' | 'failed'>): string[] {
  const { name, type, policy, operator_policy: operator, effective_policy_definition: set = {} } = queue
  // of one worker, and gone with it
  if (name.startsWith(`${work}:control.`)) return []
  const isStream = type === 'stream'
  const overflow = set['overflow']
  const drops = overflow === 'drop-head' || (name === failed && overflow === undefined)
  const limit = set['delivery-limit']
  const wrong: readonly (readonly [string, boolean])[] = [
    ['message-ttl', !isStream],
    ['expires', true],
    ['max-length', drops],
    ['max-length-bytes', drops || isStream],
    ['max-age', isStream],
    // it also ends at-least-once dead lettering, on which delays rest
    ['overflow', !isStream && overflow !== 'reject-publish'],
    ['delivery-limit', typeof limit === 'number' && limit >= 0],
  ]
  const by = [policy, operator].filter((one) => typeof one === 'string' && one !== '').join(' and ')
  return wrong
    .filter(([key, isWrong]) => isWrong && set[key] !== undefined)
    .map(([key]) => `the policy ${by} sets ${key} to ${String(set[key])} on ${name}`)
}

function unseen(cause: Error): JobportError {
  return new JobportError('UNAVAILABLE', `policies cannot be seen: ${cause.message}`, { cause })
}

function literal(text: string): string {
  return text.replace(/[.]/g, '[.]')
}
