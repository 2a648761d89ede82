import { JobportError } from '@jobport/core/driver'
import type { ConnectionOptions } from 'node:tls'
import type { Node, RabbitMQOptions } from './options.ts'

/** {@link RabbitMQOptions}, checked and complete. */
export interface Settings {
  readonly hosts: readonly { readonly host: string; readonly port: number }[]
  readonly username: string
  readonly password: string
  /** The client's certificate says who we are. */
  readonly external: boolean
  readonly vhost: string
  readonly tls?: ConnectionOptions
  /** Seconds. */
  readonly heartbeat: number
  readonly prefix: string
  readonly queueType: 'quorum' | 'classic'
  readonly replicas?: number
  readonly ledger: 'given' | 'all'
  readonly ledgerSize: number
  readonly delays: 'queue' | 'shared'
  readonly maxPayload: number
  readonly management?: string
}

type Check = (value: unknown) => string | undefined

const text: Check = (value) => (typeof value === 'string' && value !== '' ? undefined : 'must be a text')
const string: Check = (value) => (typeof value === 'string' ? undefined : 'must be a string')
const whole =
  (least: number, most = Number.MAX_SAFE_INTEGER): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most
      ? undefined
      : `must be a whole number from ${least} to ${most}`
const either =
  (...values: readonly string[]): Check =>
  (value) =>
    values.includes(value as string) ? undefined : `must be ${values.join(' or ')}`
const port = whole(1, 65_535)

const CHECKS: Record<keyof RabbitMQOptions, Check> = {
  url: string,
  host: text,
  port,
  hosts: (value) =>
    Array.isArray(value) && value.length > 0 && value.every(isNode) ? undefined : 'must be a list of { host, port }',
  username: string,
  password: string,
  vhost: text,
  tls: (value) => (typeof value === 'boolean' || isRecord(value) ? undefined : 'must be true, false or options of node:tls'),
  heartbeat: (value) =>
    whole(1_000, 600_000)(value) ?? ((value as number) % 1_000 === 0 ? undefined : 'must be whole seconds, in ms'),
  prefix: (value) =>
    typeof value === 'string' && /^[A-Za-z0-9_-]{1,40}$/.test(value) ? undefined : 'must be 1 to 40 of A–Z a–z 0–9 _ -',
  queueType: either('quorum', 'classic'),
  replicas: whole(1, 15),
  ledger: either('given', 'all'),
  ledgerSize: whole(16 * 1_048_576),
  delays: either('queue', 'shared'),
  maxPayload: whole(1, 512 * 1_048_576),
  management: (value) =>
    typeof value === 'string' && ['http:', 'https:'].includes(urlOf(value)?.protocol ?? '')
      ? undefined
      : 'must begin with http:// or https://',
}

const IN_QUERY = ['heartbeat', 'prefix', 'queueType', 'replicas', 'ledger', 'ledgerSize', 'delays', 'maxPayload', 'management']
const NUMBERS = ['heartbeat', 'replicas', 'ledgerSize', 'maxPayload']
const PLACES = ['url', 'hosts', 'host'] as const

/** Reads a URL or options. Throws `INVALID_CONFIG` with all mistakes. */
export function readSettings(config: string | RabbitMQOptions): Settings {
  const given: RabbitMQOptions = typeof config === 'string' ? { url: config } : config
  const mistakes: string[] = []
  const places = PLACES.filter((key) => given[key] !== undefined)
  if (places.length > 1) mistakes.push(`${places.join(' and ')} exclude each other`)
  const options = { ...(typeof given.url === 'string' && readUrl(given.url, mistakes)), ...defined(given) }
  for (const [key, value] of Object.entries(options)) {
    const check = Object.hasOwn(CHECKS, key) ? CHECKS[key as keyof RabbitMQOptions] : undefined
    const mistake = check ? check(value) : `is unknown (known: ${Object.keys(CHECKS).join(', ')})`
    if (mistake) mistakes.push(`${key} ${mistake}`)
  }
  if (options.queueType === 'classic' && options.replicas !== undefined) mistakes.push('replicas are for quorum queues only')
  if (mistakes.length > 0) throw new JobportError('INVALID_CONFIG', `rabbitmq: ${mistakes.join('; ')}`)
  return complete(options)
}

function complete(options: RabbitMQOptions): Settings {
  const { host = '127.0.0.1', port: usual, hosts, username, password, vhost = '/', tls, heartbeat = 10_000, replicas } = options
  const { prefix = 'jobport', queueType = 'quorum', ledger = 'given', ledgerSize = 256 * 1_048_576, delays = 'queue' } = options
  const secure = tls === true ? {} : tls || undefined
  const external = username === undefined && secure?.cert !== undefined
  return {
    hosts: (hosts ?? [{ host, ...(usual !== undefined && { port: usual }) }]).map((node) => ({
      port: secure ? 5671 : 5672,
      ...node,
    })),
    username: username ?? 'guest',
    password: password ?? (username === undefined ? 'guest' : ''),
    external,
    vhost,
    ...(secure && { tls: secure }),
    heartbeat: heartbeat / 1_000,
    prefix,
    queueType,
    ...(replicas !== undefined && { replicas }),
    ledger,
    ledgerSize,
    delays,
    maxPayload: options.maxPayload ?? 16 * 1_048_576,
    ...(options.management !== undefined && { management: options.management }),
  }
}

/** Reads a URL, with one host or several, separated by commas. */
function readUrl(text: string, mistakes: string[]): RabbitMQOptions {
  const { first, others } = apart(text)
  const url = URL.canParse(first) ? new URL(first) : undefined
  const nodes = [url, ...others.map((place) => urlOf(`amqp://${place}`))]
  if (!url || !['amqp:', 'amqps:'].includes(url.protocol) || nodes.some((node) => !node)) {
    mistakes.push('url must begin with amqp:// or amqps:// and be well-formed')
    return {}
  }
  if (others.length > 0 && nodes.some((node) => node!.hostname === '')) mistakes.push('url: a host is missing between commas')
  if (url.hash) mistakes.push('url must not have a fragment (#)')
  const vhost = decode(url.pathname.slice(1), mistakes)
  const username = decode(url.username, mistakes)
  const password = decode(url.password, mistakes)
  return {
    ...readQuery(url, mistakes),
    ...(others.length > 0 ? { hosts: nodes.map((node) => placeOf(node!)) } : addressOf(url)),
    ...(username && { username }),
    ...(password && { password }),
    ...(vhost && { vhost }),
    ...(url.protocol === 'amqps:' && { tls: true }),
  }
}

/** The URL with its first host only, and the other hosts. */
function apart(text: string): { first: string; others: readonly string[] } {
  const [, before = '', places = '', after = ''] = /^([a-z]+:\/\/(?:[^/?#]*@)?)([^/?#]*)(.*)$/is.exec(text) ?? []
  const [place = '', ...others] = places.split(',')
  return others.length === 0 ? { first: text, others } : { first: `${before}${place}${after}`, others }
}

function urlOf(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}

function addressOf({ hostname, port: number }: URL): RabbitMQOptions {
  return { ...(hostname && { host: hostname.replace(/^\[(.*)\]$/, '$1') }), ...(number && { port: Number(number) }) }
}

function placeOf(url: URL): Node {
  return { host: '', ...addressOf(url) }
}

function readQuery({ searchParams }: URL, mistakes: string[]): RabbitMQOptions {
  const query: Record<string, unknown> = {}
  for (const [key, value] of searchParams) {
    if (!IN_QUERY.includes(key)) mistakes.push(`url: query '${key}' is unknown (known: ${IN_QUERY.join(', ')})`)
    else if (Object.hasOwn(query, key)) mistakes.push(`url: query '${key}' stands twice`)
    else query[key] = NUMBERS.includes(key) ? numberOf(value) : value
  }
  return query
}

/** What is no number is refused as what it is. */
function numberOf(text: string): unknown {
  return text.trim() === '' ? text : Number(text)
}

function decode(text: string, mistakes: string[]): string {
  try {
    return decodeURIComponent(text)
  } catch {
    mistakes.push('url: a % must be followed by two hexadecimal digits')
    return ''
  }
}

function defined(options: RabbitMQOptions): RabbitMQOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

function isNode(value: unknown): boolean {
  if (!isRecord(value)) return false
  const { host, port: number, ...rest } = value
  return text(host) === undefined && (number === undefined || port(number) === undefined) && Object.keys(rest).length === 0
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
