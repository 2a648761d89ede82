import { JobportError } from '@jobport/core/driver'
import { readFileSync } from 'node:fs'
import { readUrl } from './url.ts'
import type { NatsOptions } from './options.ts'
import type { TlsOptions } from '@nats-io/transport-node'

/** {@link NatsOptions}, checked and complete. */
export interface Settings {
  readonly servers: string[]
  readonly user?: string
  readonly password?: string
  readonly token?: string
  readonly nkey?: string
  /** What the credentials file holds. */
  readonly credentials?: Uint8Array
  readonly tls?: TlsOptions
  readonly prefix: string
  readonly replicas: number
  readonly ackWait: number
  readonly keep: number
  readonly maxPayload?: number
}

/** ms. */
export const TEN_YEARS: number = 10 * 365 * 86_400_000

type Check = (value: unknown) => string | undefined

const text: Check = (value) => (typeof value === 'string' && value !== '' ? undefined : 'must be a text')
const whole =
  (least: number, most = Number.MAX_SAFE_INTEGER): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most
      ? undefined
      : `must be a whole number from ${least} to ${most}`

const CHECKS: Record<keyof NatsOptions, Check> = {
  url: text,
  servers: (value) => (isServers(value) ? undefined : "must be 'host:port', or a list of them"),
  user: text,
  password: text,
  token: text,
  nkey: text,
  credentials: text,
  tls: (value) => (typeof value === 'boolean' || isRecord(value) ? undefined : 'must be true, false or an object'),
  prefix: (value) =>
    typeof value === 'string' && /^[A-Za-z0-9_-]{1,32}$/.test(value) ? undefined : 'must be 1–32 of A–Z a–z 0–9 _ -',
  replicas: (value) => ([1, 3, 5].includes(value as number) ? undefined : 'must be 1, 3 or 5'),
  ackWait: whole(100, 86_400_000),
  keep: whole(1_000, TEN_YEARS),
  maxPayload: whole(1),
}

const MOST_QUERY = ['prefix', 'replicas', 'ackWait', 'keep', 'maxPayload']

/** Reads a URL or options. Throws `INVALID_CONFIG` with all mistakes. */
export function readSettings(config: string | NatsOptions): Settings {
  const given: NatsOptions = typeof config === 'string' ? { url: config } : config
  const mistakes: string[] = []
  if (given.url !== undefined && given.servers !== undefined) mistakes.push('url and servers exclude each other')
  const url = typeof given.url === 'string' ? readUrl(given.url, MOST_QUERY, mistakes) : {}
  const options: NatsOptions = { ...url, ...given }
  for (const [key, value] of Object.entries(options)) {
    const check = Object.hasOwn(CHECKS, key) ? CHECKS[key as keyof NatsOptions] : undefined
    const mistake = check ? value !== undefined && check(value) : `is unknown (known: ${Object.keys(CHECKS).join(', ')})`
    if (mistake) mistakes.push(`${key} ${mistake}`)
  }
  mistakes.push(...loginMistakes(options))
  const credentials = readCredentials(options.credentials, mistakes)
  if (mistakes.length > 0) throw new JobportError('INVALID_CONFIG', `nats: ${mistakes.join('; ')}`)
  const {
    servers = '127.0.0.1:4222',
    user,
    password,
    token,
    nkey,
    tls,
    prefix = 'jobport',
    replicas = 1,
    ackWait = 30_000,
    keep = 60_000,
    maxPayload,
  } = options
  return {
    servers: [servers].flat(),
    ...(user !== undefined && { user }),
    ...(password !== undefined && { password }),
    ...(token !== undefined && { token }),
    ...(nkey !== undefined && { nkey }),
    ...(credentials && { credentials }),
    ...(tls && { tls: tls === true ? {} : tls }),
    prefix,
    replicas,
    ackWait,
    keep,
    ...(maxPayload !== undefined && { maxPayload }),
  }
}

function loginMistakes({ user, password, token, nkey, credentials }: NatsOptions): string[] {
  const ways = Object.entries({ user, token, nkey, credentials }).flatMap(([name, value]) => (value === undefined ? [] : [name]))
  return [
    ...(ways.length > 1 ? [`${ways.join(' and ')} exclude each other`] : []),
    ...(password !== undefined && user === undefined ? ["password needs 'user'"] : []),
  ]
}

function readCredentials(path: string | undefined, mistakes: string[]): Uint8Array | undefined {
  if (typeof path !== 'string' || path === '') return undefined
  try {
    return readFileSync(path)
  } catch (error) {
    mistakes.push(`credentials cannot be read (${(error as NodeJS.ErrnoException).code})`)
    return undefined
  }
}

function isServers(value: unknown): boolean {
  const list = [value].flat()
  return list.length > 0 && list.every((server) => typeof server === 'string' && server !== '' && !server.includes('@'))
}

function isRecord(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
