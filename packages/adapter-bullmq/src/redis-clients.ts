import { coalesceWrites } from '@jobport/core/driver'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { once } from 'node:events'
import { endSilentConnections } from './silence.ts'
import type { ClientOptions, RedisTarget } from './target.ts'

export type Client = Redis | Cluster

/** ioredis holds the process open for so long after a disconnect that comes twice; ms. */
const DISCONNECT = 200
/** As {@link endSilentConnections}, for clients that others make: a server that was asked is silent no longer than any wait of BullMQ's; ms. */
const SILENCE = 15_000
/** Commands in one system call. */
const TOGETHER = 16
/** Producers fail fast: nothing waits for a connection, and nothing is sent twice. */
const PRODUCER: ClientOptions = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  disconnectTimeout: DISCONNECT,
}
/** Workers go on through any outage, as BullMQ demands. */
const WORKER: ClientOptions = {
  enableOfflineQueue: true,
  maxRetriesPerRequest: null,
  autoResendUnfulfilledCommands: true,
  disconnectTimeout: DISCONNECT,
}

/** `persists` is asked after each failure; the caller's own client is used as it is. */
export function makeProducer(target: RedisTarget, connectTimeout: number, persists: () => boolean): Client {
  if (target.kind === 'given') return target.client
  const retry = (times: number): number | null => (persists() ? backoff(times) : null)
  const options = { ...PRODUCER, lazyConnect: true, connectTimeout }
  if (target.kind === 'redis') {
    const client = new Redis({ ...target.options, ...options, retryStrategy: retry })
    endSilentConnections(client)
    return coalescing(client)
  }
  return coalescing(
    new Cluster(target.nodes, {
      redisOptions: { ...target.options, ...options, socketTimeout: SILENCE },
      enableOfflineQueue: false,
      lazyConnect: true,
      clusterRetryStrategy: retry,
    }),
  )
}

export function makeWorker(target: RedisTarget): Client {
  return workerClient(target, { ...WORKER, lazyConnect: false, retryStrategy: backoff })
}

/** Resolves once it serves commands. */
export async function connected(client: Client, signal: AbortSignal): Promise<void> {
  if (isReady(client)) return
  if (client.status === 'wait' || client.status === 'end') return client.connect()
  const ended = once(client, 'end', { signal }).then(() => {
    throw new Error('Connection is closed.')
  })
  await Promise.race([once(client, 'ready', { signal }), ended])
}

export function isReady({ status }: Client): boolean {
  return status === 'ready'
}

function workerClient(target: RedisTarget, options: ClientOptions): Client {
  if (target.kind === 'redis') {
    const client = new Worker({ ...target.options, ...options })
    endSilentConnections(client)
    return client
  }
  const clusterRetryStrategy = backoff
  const timed = { ...options, socketTimeout: SILENCE }
  if (target.kind === 'cluster')
    return new Cluster(target.nodes, { redisOptions: { ...target.options, ...timed }, clusterRetryStrategy })
  const { client } = target
  if (client instanceof Cluster) {
    const { replyMapping: _, ...own } = client.options.redisOptions ?? {}
    return client.duplicate(undefined, { redisOptions: { ...own, ...timed }, clusterRetryStrategy, lazyConnect: false })
  }
  return client.duplicate(timed)
}

/** BullMQ waits for jobs on a duplicate, which has few commands. */
class Worker extends Redis {
  override duplicate(options?: Partial<RedisOptions>): Redis {
    return super.duplicate({ ...options, socketTimeout: SILENCE })
  }
}

/**
 * Commands of one turn of the event loop leave together, but so that the server is not idle while they are made. Workers'
 * are sent as they are made: each brings the next job.
 */
function coalescing(client: Client): Client {
  if (client instanceof Cluster) client.on('+node', coalescing)
  else client.on('connect', () => coalesceWrites(client.stream, TOGETHER))
  return client
}

function backoff(times: number): number {
  return Math.min(50 * 2 ** (times - 1), 2_000) + Math.random() * 50
}
