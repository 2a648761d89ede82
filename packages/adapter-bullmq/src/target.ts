import { JobportError } from '@jobport/core/driver'
import { isPgParameter, postgresPool, tlsMistakes } from './postgres-url.ts'
import type { BullMQOptions, Node } from './options.ts'
import type { Cluster, ClusterNode, Redis, RedisOptions } from 'ioredis'
import type { PoolConfig } from 'pg'

export type ClientOptions = Omit<RedisOptions, 'replyMapping'>

/** Where the jobs are kept, and how to get there. */
export type RedisTarget =
  | { readonly kind: 'redis'; readonly options: ClientOptions }
  | { readonly kind: 'cluster'; readonly nodes: ClusterNode[]; readonly options: ClientOptions }
  | { readonly kind: 'given'; readonly client: Redis | Cluster }

export interface PostgresTarget {
  readonly kind: 'postgres'
  readonly schema: string
  /** Of a driver, all in all. */
  readonly maxConnections: number
  readonly pool: PoolConfig
}

/** A URL, and the nodes if it lists several. */
interface Address {
  readonly url: URL
  readonly nodes?: readonly Node[]
}

interface Reading {
  /** What the URL's query says about options. */
  readonly query: Partial<BullMQOptions>
  /** To be called once nothing is mistaken. */
  readonly read: () => RedisTarget | PostgresTarget
}

const NUMBERS = ['lockDuration', 'stalledInterval', 'maxPayload', 'maxConnections']
const KNOWN = ['lockDuration', 'stalledInterval', 'maxPayload']
const CONNECTIONS = 10
const [REDIS_PORT, SENTINEL_PORT] = [6_379, 26_379]
const POSTGRES_SCHEMES = ['postgres:', 'postgresql:']
const REDIS_SCHEMES = ['redis:', 'rediss:']
const PLACES = ['url', 'connection', 'sentinels', 'cluster', 'host'] as const
const PLACE_HAS: Partial<Record<keyof BullMQOptions, readonly (keyof BullMQOptions)[]>> = {
  connection: ['port', 'username', 'password', 'db', 'tls'],
  sentinels: ['port'],
  cluster: ['port'],
}

export function readTarget(options: BullMQOptions, mistakes: string[]): Reading {
  const places = PLACES.filter((key) => options[key] !== undefined)
  if (places.length > 1) mistakes.push(`${places.join(' and ')} exclude each other`)
  const address = typeof options.url === 'string' ? readUrl(options.url, options.sentinelName !== undefined, mistakes) : undefined
  const url = address?.url
  const query = url ? readQuery(url, mistakes) : {}
  const isPostgres = url ? POSTGRES_SCHEMES.includes(url.protocol) : options.postgres !== undefined
  if (!isPostgres) {
    if (url && options.postgres !== undefined) mistakes.push('postgres does not go with a Redis URL')
    const sentinelName = query.sentinelName ?? (address?.nodes && options.sentinelName)
    const listed = address?.nodes && (sentinelName ? { sentinels: address.nodes, sentinelName } : { cluster: address.nodes })
    if (sentinelName && !listed) mistakes.push("url: query 'sentinelName' goes with a list of sentinels, redis://a:26379,b:26379")
    const all = { ...options, ...listed }
    mistakes.push(...redisMistakes(all, url))
    return { query: { ...query, ...listed }, read: () => redisTarget(all, url) }
  }
  for (const key of ['connection', 'sentinels', 'cluster', 'prefix', 'db'] as const) {
    if (options[key] !== undefined) mistakes.push(`${key} is for Redis only; PostgreSQL has 'postgres: { schema, database }'`)
  }
  if (address?.nodes) mistakes.push('url: pg connects to one server: name the primary, or an address that follows it')
  mistakes.push(...tlsMistakes(options, url))
  const schema = query.postgres?.schema ?? options.postgres?.schema ?? 'bullmq'
  if (!/^[a-z_][a-z0-9_]{0,62}$/i.test(schema)) mistakes.push('schema must be a plain identifier')
  const maxConnections = options.maxConnections ?? query.maxConnections ?? CONNECTIONS
  return { query, read: () => ({ kind: 'postgres', schema, maxConnections, pool: readPool(options, url) }) }
}

/** What would be passed over in silence, or fail only once connected. */
function redisMistakes(options: BullMQOptions, url: URL | undefined): string[] {
  const { connection, sentinels, sentinelName, sentinelPassword, cluster, db } = options
  const mistakes: string[] = []
  if (sentinels && !sentinelName) mistakes.push("sentinels need 'sentinelName', the name of the master")
  if (!sentinels && (sentinelName ?? sentinelPassword) !== undefined)
    mistakes.push("sentinelName and sentinelPassword need 'sentinels'")
  if (options.maxConnections !== undefined)
    mistakes.push('maxConnections is for PostgreSQL only: on Redis a driver has a few connections, and one more for each worker')
  if (cluster && (db || (url && url.pathname.length > 1 && url.pathname !== '/0')))
    mistakes.push('db must be 0: a cluster has no other')
  if (connection?.options && 'keyPrefix' in connection.options && connection.options.keyPrefix) {
    mistakes.push("connection must have no keyPrefix: BullMQ cannot work with it, use 'prefix'")
  }
  const place = PLACES.find((key) => key in PLACE_HAS && options[key] !== undefined)
  for (const key of (place && PLACE_HAS[place]) ?? []) {
    if (options[key] !== undefined) mistakes.push(`${key} does not go with ${place}, which has its own`)
  }
  return mistakes
}

function redisTarget(options: BullMQOptions, url: URL | undefined): RedisTarget {
  const { connection, sentinels, sentinelName, sentinelPassword, cluster, host, port, username, password, db, tls } = options
  if (connection) return { kind: 'given', client: connection }
  const own: ClientOptions = {
    ...(url && fromUrl(url)),
    ...(username && { username }),
    ...(password && { password }),
    ...(db !== undefined && { db }),
    ...(tls && { tls: tls === true ? {} : tls }),
  }
  if (cluster || sentinels) {
    delete own.host
    delete own.port
  }
  if (cluster) return { kind: 'cluster', nodes: [...cluster], options: own }
  if (sentinels) {
    const sentinel = { sentinels: [...sentinels], name: sentinelName!, ...(sentinelPassword && { sentinelPassword }) }
    return { kind: 'redis', options: { ...own, ...sentinel } }
  }
  return { kind: 'redis', options: { ...own, ...(host && { host }), ...(port && { port }) } }
}

function fromUrl({ protocol, hostname, port, username, password, pathname }: URL): ClientOptions {
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1') || '127.0.0.1',
    ...(port && { port: Number(port) }),
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
    ...(pathname.length > 1 && { db: Number(pathname.slice(1)) }),
    ...(protocol === 'rediss:' && { tls: {} }),
  }
}

function readPool(options: BullMQOptions, url: URL | undefined): PoolConfig {
  try {
    return postgresPool(options, url)
  } catch (error) {
    throw new JobportError('INVALID_CONFIG', `bullmq: url: ${(error as Error).message}`, { cause: error })
  }
}

function readUrl(given: string, namesMaster: boolean, mistakes: string[]): Address | undefined {
  const { text, nodes } = withoutList(given, namesMaster)
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || ![...REDIS_SCHEMES, ...POSTGRES_SCHEMES].includes(url.protocol)) {
    mistakes.push('url must begin with redis://, rediss://, postgres:// or postgresql:// and be well-formed')
    return undefined
  }
  if (!isDecodable(url.username) || !isDecodable(url.password))
    mistakes.push("url: user and password must be percent-encoded, '%' as %25")
  if (REDIS_SCHEMES.includes(url.protocol) && !/^\/?\d*$/.test(url.pathname))
    mistakes.push("url: the path is the database's number, such as /0")
  return { url, ...(nodes && { nodes }) }
}

/** The URL with the first of its hosts, and all of them if there are several: `redis://a:7000,b:7001`. */
function withoutList(text: string, namesMaster: boolean): { text: string; nodes?: Node[] } {
  const [, scheme = '', account = '', hosts = '', rest = ''] = /^([a-z]+:\/\/)([^/?#]*@)?([^/?#]*)(.*)$/is.exec(text) ?? []
  if (!hosts.includes(',')) return { text }
  const isSentinel = namesMaster || /[?&]sentinelName=/.test(rest)
  const parts = hosts.split(',')
  const nodes = parts.flatMap((part) => {
    const one = `${scheme}${part}`
    if (part === '' || !URL.canParse(one)) return []
    const { hostname, port } = new URL(one)
    const host = hostname.replace(/^\[(.*)\]$/, '$1')
    return host === '' ? [] : [{ host, port: Number(port) || (isSentinel ? SENTINEL_PORT : REDIS_PORT) }]
  })
  return nodes.length === parts.length ? { text: `${scheme}${account}${parts[0]}${rest}`, nodes } : { text }
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** Takes our options out of the URL's query; what remains must be pg's. */
function readQuery(url: URL, mistakes: string[]): Partial<BullMQOptions> {
  const isPostgres = POSTGRES_SCHEMES.includes(url.protocol)
  const known = isPostgres ? ['schema', ...KNOWN, 'maxConnections'] : ['prefix', ...KNOWN, 'sentinelName']
  const query: Record<string, unknown> = {}
  for (const [key, value] of [...url.searchParams]) {
    if (isPostgres && isPgParameter(key, value, mistakes)) continue
    url.searchParams.delete(key)
    if (!known.includes(key)) mistakes.push(`url: query '${key}' is unknown (known: ${known.join(', ')})`)
    else if (key === 'schema') query['postgres'] = { schema: value }
    else query[key] = NUMBERS.includes(key) ? Number(value) : value
  }
  return query
}
