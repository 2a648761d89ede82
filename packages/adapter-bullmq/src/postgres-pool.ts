import { ConnectionClosedError, quoteSchemaName } from 'bullmq'
import { Pool, types, type ClientBase, type PoolConfig } from 'pg'
import { within } from './deadline.ts'
import { isPassing } from './faults.ts'
import type { Socket } from 'node:net'
import type { PostgresTarget } from './target.ts'

/** ms */
const CONNECT_TIMEOUT = 4_000
const QUERY_TIMEOUT = 10_000
const END_DEADLINE = 300

/** BullMQ takes a payload that is null for none at all, and makes an object of it. */
const NULL = { toJSON: () => null }
const JSONB = 3802
const parserOf = types.getTypeParser as (id: number, format?: string) => (text: string) => unknown
const TYPES = { getTypeParser: (id: number, format?: string) => (id === JSONB ? parseJson : parserOf(id, format)) }

type Query = (...args: readonly unknown[]) => Promise<unknown>

/** The configuration of every connection: bounded in time, and at home in the schema. */
export function connectionConfig({ pool, schema }: PostgresTarget): PoolConfig {
  return {
    ...pool,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    query_timeout: QUERY_TIMEOUT,
    types: TYPES,
    verify: (client, done) => client.query(entering(schema), done),
  }
}

/** Makes the schema's tables and functions known by their plain names. */
export function entering(schema: string): string {
  return `SET search_path TO ${quoteSchemaName(schema)}`
}

export interface PoolSize {
  readonly max: number
  /** How long a connection stays that nobody uses, ms; 0 is for ever. */
  readonly idle: number
  /** So many stay all the same. Default 0. */
  readonly least?: number
  /** How long a query may take, ms. Default 10,000. */
  readonly patience?: number
}

/** Connections that can be had and thrown away at any time: no fault of theirs is ever thrown at the process. */
export class ConnectionPool {
  readonly pool: Pool
  readonly #clients = new Set<ClientBase>()

  constructor(target: PostgresTarget, { max, idle, least = 0, patience }: PoolSize) {
    const config = connectionConfig(target)
    this.pool = new Pool({ ...config, max, min: least, idleTimeoutMillis: idle, ...(patience && { query_timeout: patience }) })
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

/** Opens all connections but one, so that none has to be waited for in the middle of the work. */
export async function warm(pool: Pool): Promise<void> {
  const dialled = await Promise.allSettled(Array.from({ length: pool.options.max - 1 }, async () => pool.connect()))
  const clients = dialled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  for (const client of clients) client.release()
  const failed = dialled.find((one) => one.status === 'rejected')
  if (failed) throw failed.reason
}

/**
 * BullMQ waits a while after a fault of the connection, and goes on at once after any other. It knows those of Redis
 * only; so PostgreSQL's are given to it as one of them.
 */
export function asBullMQExpects(pool: Pool): Pool {
  const query = pool.query.bind(pool) as unknown as Query
  const patient: Query = async (...args) =>
    query(...args).catch((error: unknown) => {
      throw isPassing(error) ? new ConnectionClosedError(undefined, error) : error
    })
  return Object.assign(pool, { query: patient })
}

function parseJson(text: string): unknown {
  return text === 'null' ? NULL : (JSON.parse(text) as unknown)
}

function socketOf(client: ClientBase): Socket {
  return (client as unknown as { connection: { stream: Socket } }).connection.stream
}
