import { JobportError } from './errors.ts'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Where the environment says the broker is: `QUEUE_URL`, else `QUEUE_ADAPTER` with its variables, else the one of
 * `REDIS_HOST` (`REDIS_PORT`, `REDIS_PASSWORD`), `RABBITMQ_URL`, `NATS_URL` that is set. An empty variable counts as
 * absent. Throws `INVALID_CONFIG` with all mistakes: a missing variable must never mean an in-memory queue.
 */
export function readEnvironment(environment: Environment = process.env): { adapter: string; [option: string]: unknown } | string {
  const get = (name: string): string | undefined => environment[name]?.trim() || undefined
  const mistakes: string[] = []
  const url = get('QUEUE_URL')
  const adapter = get('QUEUE_ADAPTER')
  const chosen = url === undefined ? fromVariables(get, adapter, mistakes) : fromUrl(url, adapter, mistakes)
  if (mistakes.length > 0) throw new JobportError('INVALID_CONFIG', `environment: ${mistakes.join('; ')}`)
  return chosen!
}

type Get = (name: string) => string | undefined
type Chosen = ReturnType<typeof readEnvironment> | undefined

const SCHEMES: Record<string, string> = {
  bullmq: 'redis|rediss|postgres|postgresql',
  rabbitmq: 'amqp|amqps',
  nats: 'nats|nats+tls',
  memory: 'memory',
}

function fromUrl(url: string, adapter: string | undefined, mistakes: string[]): Chosen {
  if (!isServerUrl(url)) mistakes.push('QUEUE_URL is no URL')
  if (adapter !== undefined && !(adapter in SCHEMES)) mistakes.push(unknownAdapter(adapter))
  if (mistakes.length > 0 || adapter === undefined) return url
  if (!hasScheme(url, adapter)) mistakes.push(`QUEUE_URL (${schemeOf(url)}://) contradicts QUEUE_ADAPTER=${adapter}`)
  return url
}

function fromVariables(get: Get, adapter: string | undefined, mistakes: string[]): Chosen {
  const readers: Record<string, () => Chosen> = {
    bullmq: () => redis(get, mistakes),
    rabbitmq: () => brokerUrl(get, 'RABBITMQ_URL', 'rabbitmq', mistakes),
    nats: () => brokerUrl(get, 'NATS_URL', 'nats', mistakes),
    memory: () => ({ adapter: 'memory' }),
  }
  if (adapter !== undefined && !(adapter in readers)) return void mistakes.push(unknownAdapter(adapter))
  if (adapter !== undefined) return readers[adapter]!()
  const named = [
    ...(['REDIS_HOST', 'REDIS_PORT', 'REDIS_PASSWORD'].some((name) => get(name)) ? ['bullmq'] : []),
    ...(get('RABBITMQ_URL') ? ['rabbitmq'] : []),
    ...(get('NATS_URL') ? ['nats'] : []),
  ]
  if (named.length === 0)
    mistakes.push('no broker is named: set QUEUE_URL, or QUEUE_ADAPTER, REDIS_HOST, RABBITMQ_URL or NATS_URL')
  if (named.length > 1) mistakes.push(`${named.join(' and ')} are both configured: set QUEUE_ADAPTER or QUEUE_URL`)
  const [found] = named.map((name) => readers[name]!())
  return found
}

function redis(get: Get, mistakes: string[]): Chosen {
  const host = get('REDIS_HOST')
  const port = Number(get('REDIS_PORT') ?? 6379)
  const password = get('REDIS_PASSWORD')
  if (host === undefined) mistakes.push('REDIS_HOST is missing')
  if (!Number.isInteger(port) || port < 1 || port > 65_535) mistakes.push('REDIS_PORT is no port')
  return { adapter: 'bullmq', host, port, ...(password !== undefined && { password }) }
}

function brokerUrl(get: Get, name: string, adapter: string, mistakes: string[]): Chosen {
  const url = get(name)
  if (url === undefined) mistakes.push(`${name} is missing`)
  else if (!hasScheme(url, adapter)) mistakes.push(`${name} is no ${SCHEMES[adapter]!.replaceAll('|', ':// or ')}:// URL`)
  return url
}

function hasScheme(url: string, adapter: string): boolean {
  const scheme = schemeOf(url)
  return scheme !== undefined && isServerUrl(url) && SCHEMES[adapter]!.split('|').includes(scheme)
}

function unknownAdapter(adapter: string): string {
  return `QUEUE_ADAPTER '${adapter}' is unknown: ${Object.keys(SCHEMES).join(', ')}`
}

/** Lower case; absent: it begins with none. Reads no further, for what follows may be a list of servers. */
export function schemeOf(url: string): string | undefined {
  return /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase()
}

/** A URL, or one with a list of hosts, `nats://a:4222,b:4222`, which only its adapter can read. */
export function isServerUrl(text: string): boolean {
  return URL.canParse(text) || /^[a-z][a-z0-9+.-]*:\/\/.*,/i.test(text)
}
