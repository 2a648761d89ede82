import { createHash } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { JobportError } from '@jobport/core/driver'
import { workerName } from './worker-name.ts'
import type { PgQueryResult, PostgresConnection } from 'bullmq'
import { escapeLiteral, type ClientBase, type Notification } from 'pg'

/** PostgreSQL cuts names of connections at this many bytes. */
const LONGEST_NAME = 63

/** What BullMQ's backends listen on: all of a driver hear the same connection, whichever it is by now. */
export type Ear = Awaited<ReturnType<PostgresConnection['getListenClient']>>

/**
 * Makes one connection serve all workers of a driver: it listens for jobs, and it shows which queues this process works. The latter by a
 * shared lock for each queue, which ends with the connection, and by the connection's name.
 */
export class Signals {
  readonly #schema: string
  readonly #current: () => ClientBase | undefined
  readonly #events = new EventEmitter().setMaxListeners(0)
  readonly #workers = new Map<string, number>()
  /** What the connection has been told already. */
  readonly #told = new WeakMap<ClientBase, Set<string>>()
  /** One change after the other. */
  #changes: Promise<unknown> = Promise.resolve()

  /** `current`: the connection, while there is one. */
  constructor(schema: string, current: () => ClientBase | undefined) {
    this.#schema = schema
    this.#current = current
  }

  /** One more worker of the queue is there. While the connection is down, this is said once it is up. */
  join(queue: string): void {
    this.#workers.set(queue, (this.#workers.get(queue) ?? 0) + 1)
    void this.#change()
  }

  /** One less. Resolves once the server knows, or the connection is down. */
  async leave(queue: string): Promise<void> {
    const left = (this.#workers.get(queue) ?? 0) - 1
    if (left > 0) this.#workers.set(queue, left)
    else this.#workers.delete(queue)
    await this.#change()
  }

  /** Resolves once notifications come. Rejects while the connection is down. */
  async ear(): Promise<Ear> {
    const client = this.#current()
    if (!client) throw new JobportError('UNAVAILABLE', 'postgres: the connection is down')
    await this.prepare(client)
    return this.#ear
  }

  /** Brings a connection up to date. Rejects if it cannot be. */
  async prepare(client: ClientBase): Promise<void> {
    const change = this.#changes.then(() => this.#tell(client))
    this.#changes = change.catch(() => {})
    await change
  }

  /** `listener` is called whenever the connection has been lost. Returns how to cancel that. */
  onLost(listener: () => void): () => void {
    this.#events.on('lost', listener)
    return () => this.#events.off('lost', listener)
  }

  lost(): void {
    this.#events.emit('lost')
  }

  async #change(): Promise<void> {
    const client = this.#current()
    // a connection that fails here is lost, and told everything when it is made again
    if (client) await this.prepare(client).catch(() => {})
  }

  /** In one go: the server may be far. */
  async #tell(client: ClientBase): Promise<void> {
    const told = this.#told.get(client)
    const now = new Set(this.#workers.keys())
    const come = [...now].filter((queue) => !told?.has(queue))
    const gone = [...(told ?? [])].filter((queue) => !now.has(queue))
    if (come.length === 0 && gone.length === 0) return
    await client.query(
      [
        ...(told ? [] : ['LISTEN bullmq_jobs']),
        ...come.map((queue) => `SELECT pg_advisory_lock_shared('${keyOf(this.#schema, queue)}'::bigint)`),
        ...gone.map((queue) => `SELECT pg_advisory_unlock_shared('${keyOf(this.#schema, queue)}'::bigint)`),
        `SELECT set_config('application_name', ${escapeLiteral(this.#name())}, false)`,
      ].join('; '),
    )
    if (!told) client.on('notification', (message: Notification) => this.#events.emit('notification', message))
    this.#told.set(client, now)
  }

  /** As BullMQ names a worker's connection, for its own tools; they can see one queue of ours. */
  #name(): string {
    const [queue = ''] = this.#workers.keys()
    const alias = Buffer.byteLength(`${queue}:w:${workerName}`) <= LONGEST_NAME ? queue : ''
    return `${this.#schema === 'bullmq' ? alias : ''}:w:${workerName}`
  }

  /** BullMQ knows what its listeners take; here nobody looks. */
  readonly #ear: Ear = {
    query: async <R>(): Promise<PgQueryResult<R>> => ({ rows: [] }),
    on: (event: string, listener: () => void): Ear => {
      this.#events.on(event, listener)
      return this.#ear
    },
    removeListener: (event: string, listener: () => void): Ear => {
      this.#events.off(event, listener)
      return this.#ear
    },
    removeAllListeners: (): Ear => this.#ear,
  } as unknown as Ear
}

/** The names of the connections that work a queue. $1 and $2: the halves of its key. */
export const WORKERS: string = `
SELECT DISTINCT a.application_name AS name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = $1::text::oid AND l.objid = $2::text::oid
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`

/** Of {@link WORKERS}. */
export function halvesOf(schema: string, queue: string): readonly [string, string] {
  const key = BigInt.asUintN(64, BigInt(keyOf(schema, queue)))
  return [String(key >> 32n), String(key & 0xffff_ffffn)]
}

/** A lock of PostgreSQL is a number. */
function keyOf(schema: string, queue: string): string {
  return String(createHash('sha256').update(`jobport worker\n${schema}\n${queue}`).digest().readBigInt64BE())
}
