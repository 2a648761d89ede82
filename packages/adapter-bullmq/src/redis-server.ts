import { JobportError } from '@jobport/core/driver'
import type { Cluster, Redis } from 'ioredis'
import { within } from './deadline.ts'
import { toJobportError } from './faults.ts'

const DEADLINE = 4_500
const NEEDED = [6, 2] as const

export interface Server {
  /** Product and version: `redis 8.0.6`. */
  readonly version: string
  /** Whether this user may ask for it. */
  readonly isKnown: boolean
  /** What could not be looked at. */
  readonly warning?: JobportError
}

/** Refuses, with `SERVER_UNSUITABLE`, a server that would lose jobs or cannot keep them. */
export async function inspectServer(client: Redis | Cluster): Promise<Server> {
  const info = await ask(client.info())
  return judge(info, policyIn(info) ?? (await askPolicy(client)))
}

/** `info` is empty and `policy` absent where this user may not ask. Throws `SERVER_UNSUITABLE`. */
export function judge(info: string, policy: string | undefined): Server {
  const redis = /^redis_version:([\d.]+)/m.exec(info)?.[1]
  const valkey = /^valkey_version:([\d.]+)/m.exec(info)?.[1]
  const version = valkey ? `valkey ${valkey}` : `redis ${redis ?? 'of unknown version'}`
  const [major = 0, minor = 0] = (redis ?? '').split('.').map(Number)
  if (info !== '' && (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1]))) {
    throw new JobportError('SERVER_UNSUITABLE', `${version}: Redis ${NEEDED.join('.')} or newer is needed`)
  }
  if (policy !== undefined && policy !== 'noeviction') {
    throw new JobportError(
      'SERVER_UNSUITABLE',
      `${version}: maxmemory-policy is '${policy}', so it may throw jobs away; set it to 'noeviction'`,
    )
  }
  return { version, isKnown: info !== '', ...(policy === undefined && { warning: unseen(version) }) }
}

function policyIn(info: string): string | undefined {
  return /^maxmemory_policy:(\S+)/m.exec(info)?.[1]
}

/** Empty if this user may not ask. */
async function ask(answer: Promise<string>): Promise<string> {
  try {
    return await within(DEADLINE, 'INFO', answer)
  } catch (error) {
    const told = toJobportError(error, 'redis')
    if (told.code === 'ACCESS_DENIED' && told.message.includes('NOPERM')) return ''
    throw told
  }
}

async function askPolicy(client: Redis | Cluster): Promise<string | undefined> {
  const answer = await client.config('GET', 'maxmemory-policy').catch(() => [])
  return (answer as string[])[1]
}

function unseen(version: string): JobportError {
  return new JobportError(
    'SERVER_UNSUITABLE',
    `${version}: this user may not look at maxmemory-policy; if it is not 'noeviction', jobs will be lost under memory pressure`,
  )
}
