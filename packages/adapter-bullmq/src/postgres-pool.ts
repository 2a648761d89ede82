import { ConnectionClosedError, quoteSchemaName, type PgPool, type PgPoolClient, type PgQueryResult } from 'bullmq'
import { Client, Pool, type ClientBase, type ClientConfig, type PoolClient, type PoolConfig, type QueryResultRow } from 'pg'
import { within } from './deadline.ts'
import { isPassing } from './faults.ts'
import { inOrder } from './postgres-order.ts'
import { TYPES } from './postgres-types.ts'
import type { Socket } from 'node:net'
import type { PostgresTarget } from './target.ts'

/** ms */
const CONNECT_TIMEOUT = 4_000
const QUERY_TIMEOUT = 10_000
const END_DEADLINE = 300

/** The configuration of every connection: bounded in time, at home in the schema, and its own master in types. */
export function connectionConfig({ pool, schema }: PostgresTarget): PoolConfig {
  return {
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    ...pool,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    query_timeout: QUERY_TIMEOUT,
    types: TYPES,
    verify: (client, done) => client.query(entering(schema), done),
  }
}

/**
 * Makes the schema's tables and functions known by their plain names, and statements see what was committed before them,
 * whatever the role or the database has for a default.
 */
export function entering(schema: string): string {
  return `SET search_path TO ${quoteSchemaName(schema)}; SET default_transaction_isolation TO 'read committed'`
}

export interface PoolSize {
  readonly max: number
  /** How long a connection stays that nobody uses, ms. */
  readonly idle: number
  /** So many stay all the same. Default 0. */
  readonly least?: number
  /** How long a query may take, ms. Default 10,000. */
  readonly patience?: number
  /** How long to wait for a connection that others use, ms. Default: as long as it takes. */
  readonly queueing?: number
}

/** pg-pool has one time for connecting and for waiting in line: this is the former. */
class BoundedClient extends Client {
  constructor(config: ClientConfig & { readonly dialling?: number }) {
    super({ ...config, connectionTimeoutMillis: config.dialling ?? CONNECT_TIMEOUT })
  }
}

/** Connections that can be had and thrown away at any time: no fault of theirs is ever thrown at the process. */
export class ConnectionPool {
  readonly pool: Pool
  readonly #clients = new Set<ClientBase>()

  constructor(target: PostgresTarget, { max, idle, least = 0, patience, queueing = 0 }: PoolSize) {
    const config = connectionConfig(target)
    const settings = {
      ...config,
      max,
      min: least,
      idleTimeoutMillis: idle,
      ...(patience && { query_timeout: patience }),
      dialling: config.connectionTimeoutMillis,
      connectionTimeoutMillis: queueing,
      Client: BoundedClient,
    }
    this.pool = new Pool(settings as unknown as PoolConfig)
    this.pool.setMaxListeners(0)
    this.pool.on('error', () => {})
    this.pool.on('connect', (client) => {
      client.on('error', () => {})
      this.#clients.add(client)
    })
    this.pool.on('remove', (client) => this.#clients.delete(client))
  }

  /** Ends soon, whatever the server and the borrowers do. */
  async end(): Promise<void> {
    await within(END_DEADLINE, 'closing connections', this.pool.end()).catch(() => {})
    for (const client of this.#clients) socketOf(client).destroy()
  }
}

/**
 * A pool as one of BullMQ's backends sees it. Many share a pool, so none may listen to it or end it. BullMQ waits a while after a
 * fault of the connection, and goes on at once after any other. It knows those of Redis only; so a worker is given
 * PostgreSQL's as one of them.
 */
export class PoolView implements PgPool {
  readonly #pool: Pool
  readonly #isPatient: boolean

  constructor(pool: Pool, { isPatient = false }: { readonly isPatient?: boolean } = {}) {
    this.#pool = pool
    this.#isPatient = isPatient
  }

  async query<R>(text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
    try {
      return await this.#pool.query<R & QueryResultRow>(inOrder(text), params as unknown[])
    } catch (error) {
      throw this.#isPatient && isPassing(error) ? new ConnectionClosedError(undefined, error) : error
    }
  }

  connect(): Promise<PgPoolClient & PoolClient> {
    return this.#pool.connect() as Promise<PgPoolClient & PoolClient>
  }

  on(): this {
    return this
  }

  removeAllListeners(): this {
    return this
  }

  async end(): Promise<void> {}
}

export function socketOf(client: ClientBase): Socket {
  return (client as unknown as { connection: { stream: Socket } }).connection.stream
}
