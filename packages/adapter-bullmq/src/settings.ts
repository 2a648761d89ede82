import { JobportError } from '@jobport/core/driver'
import { readTarget, type PostgresTarget, type RedisTarget } from './target.ts'
import type { BullMQOptions, Keep } from './options.ts'
import type { KeepJobs } from 'bullmq'

/** {@link BullMQOptions}, checked and complete. */
export interface Settings {
  readonly target: RedisTarget | PostgresTarget
  readonly prefix: string
  readonly keep: { readonly completed: KeepJobs; readonly dead: KeepJobs }
  readonly lockDuration: number
  readonly stalledInterval: number
  readonly maxPayload: number
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
const ms = whole(100, 86_400_000)

const nodes: Check = (value) =>
  Array.isArray(value) && value.length > 0 && value.every(isNode) ? undefined : 'must be a list of { host, port }'

const CHECKS: Record<keyof BullMQOptions, Check> = {
  url: text,
  host: text,
  port: whole(1, 65_535),
  username: string,
  password: string,
  db: whole(0),
  tls: (value) => (typeof value === 'boolean' || isRecord(value) ? undefined : 'must be true, false or options of node:tls'),
  connection: (value) =>
    isRecord(value) && 'duplicate' in value && 'options' in value ? undefined : 'must be a client of ioredis',
  sentinels: nodes,
  sentinelName: text,
  sentinelPassword: string,
  cluster: nodes,
  prefix: (value) => (typeof value === 'string' && /^[\x21-\x7e]+$/.test(value) ? undefined : 'must be visible ASCII characters'),
  postgres: record({ schema: text, database: text }),
  maxConnections: whole(5, 1_000),
  keep: record({ completed: record({ age: whole(0), count: whole(0) }), dead: record({ age: whole(0), count: whole(0) }) }),
  lockDuration: ms,
  stalledInterval: ms,
  // no server takes much more in one piece
  maxPayload: whole(1, 128 * 1_048_576),
}

/** Reads a URL or options. Throws `INVALID_CONFIG` with all mistakes. */
export function readSettings(config: string | BullMQOptions): Settings {
  const given: BullMQOptions = typeof config === 'string' ? { url: config } : config
  const mistakes: string[] = []
  const target = readTarget(given, mistakes)
  const options = { ...target.query, ...given }
  for (const [key, value] of Object.entries(options)) {
    const check = Object.hasOwn(CHECKS, key) ? CHECKS[key as keyof BullMQOptions] : undefined
    const mistake = check ? value !== undefined && check(value) : `is unknown (known: ${Object.keys(CHECKS).join(', ')})`
    if (mistake) mistakes.push(`${key} ${mistake}`)
  }
  const isCluster = options.cluster !== undefined || options.connection?.isCluster === true
  const {
    prefix = isCluster ? '{bull}' : 'bull',
    keep = {},
    lockDuration = 10_000,
    stalledInterval = 5_000,
    maxPayload = 16 * 1_048_576,
  } = options
  // Redis looks at the first brace only
  if (isCluster && !/^[^{]*\{[^}]+\}/.test(prefix)) mistakes.push("prefix must hold a hash tag on a cluster, such as '{bull}'")
  if (mistakes.length > 0) throw new JobportError('INVALID_CONFIG', `bullmq: ${mistakes.join('; ')}`)
  return {
    target: target.read(),
    prefix,
    keep: { completed: toKeepJobs(keep.completed ?? { count: 1_000 }), dead: toKeepJobs(keep.dead) },
    lockDuration,
    stalledInterval,
    maxPayload,
  }
}

/** BullMQ counts the age in seconds, and knows "all" as -1. */
function toKeepJobs({ age, count }: Keep = {}): KeepJobs {
  if (age === undefined) return { count: count ?? -1 }
  return { age: age / 1_000, ...(count !== undefined && { count }) }
}

function record(checks: Readonly<Record<string, Check>>): Check {
  return (value) => {
    if (!isRecord(value)) return `must be an object { ${Object.keys(checks).join(', ')} }`
    const mistakes = Object.entries(value).flatMap(([key, item]) => {
      const check = Object.hasOwn(checks, key) ? checks[key] : undefined
      const mistake = check ? item !== undefined && check(item) : `is unknown (known: ${Object.keys(checks).join(', ')})`
      return mistake ? [`'${key}' ${mistake}`] : []
    })
    return mistakes.length > 0 ? mistakes.join(', ') : undefined
  }
}

function isNode(value: unknown): boolean {
  return (
    isRecord(value) && 'host' in value && 'port' in value && record({ host: text, port: whole(1, 65_535) })(value) === undefined
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
