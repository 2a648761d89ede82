import type { Cluster, Redis } from 'ioredis'
import type { ConnectionOptions } from 'node:tls'

/** How long finished jobs stay to be looked at. Trimmed as further jobs finish, never by a timer. */
export interface Keep {
  /** ms. */
  readonly age?: number
  readonly count?: number
}

export interface Node {
  readonly host: string
  readonly port: number
}

export interface BullMQOptions {
  /**
   * `redis://`, `rediss://`, `postgres://` or `postgresql://`; its query takes `prefix`, `schema`, `lockDuration` … and what pg
   * reads there. `redis://a:6379,b:6379` are nodes of a cluster, or, with `?sentinelName=…`, sentinels.
   */
  readonly url?: string
  readonly host?: string
  readonly port?: number
  readonly username?: string
  readonly password?: string
  /** Redis: number of the database. */
  readonly db?: number
  readonly tls?: boolean | ConnectionOptions
  /**
   * An ioredis client of yours, used for publishing and administration and never closed. Workers block their
   * connection, so each consumer works on duplicates of it, which are ours and are closed.
   */
  readonly connection?: Redis | Cluster
  /** Redis Sentinel: where to ask for the master called `sentinelName`. */
  readonly sentinels?: readonly Node[]
  readonly sentinelName?: string
  readonly sentinelPassword?: string
  /** Redis Cluster: nodes to begin with. All keys of a queue share a slot, so `prefix` must hold a `{hash tag}`. */
  readonly cluster?: readonly Node[]
  /** Before every Redis key. Default `bull`, where BullMQ's own tools look; `{bull}` on a cluster. */
  readonly prefix?: string
  /** PostgreSQL; its presence, or such a URL, chooses it. */
  readonly postgres?: {
    /** Default `bullmq`. */
    readonly schema?: string
    readonly database?: string
  }
  /**
   * PostgreSQL: how many connections this broker has at most, its workers included, 5 … 1,000. One is held open and listens, up to
   * two renew leases, the others serve everything else. Default 10.
   */
  readonly maxConnections?: number
  /**
   * Default: the last 1,000 completed, and all dead. A job that was added with its own `removeOnComplete` keeps to that. On
   * PostgreSQL a worker that is to keep 100 completed jobs or more keeps up to a tenth more.
   */
  readonly keep?: { readonly completed?: Keep; readonly dead?: Keep }
  /** A worker that does not renew a job's lease for this long has lost it, ms. Default 10,000. */
  readonly lockDuration?: number
  /** Pause between two looks for lost leases, ms. A crashed job runs again within `lockDuration` + 2 of these. Default 5,000. */
  readonly stalledInterval?: number
  /** Largest payload in bytes of JSON, at most 128 MiB. Default 16 MiB. A Redis hangs up on more than its `proto-max-bulk-len`. */
  readonly maxPayload?: number
}
