import { existsSync, readFileSync } from 'node:fs'
import type { BrokerName } from '@jobport/brokers'
import type { Certificate } from '@jobport/conformance'

/** A broker that Jobport holds a certificate of. */
export interface Certified {
  readonly title: string
  /** Of its files in `FOLDER`. */
  readonly stem: string
  /** Says which adapter serves it; nothing need run there. */
  readonly url: string
  /** Absent: it lives in the process. */
  readonly own?: BrokerName
  /** Short leases, since cases wait for them to run out. */
  readonly options: string
  readonly level: 'features' | 'resilience'
}

export const FOLDER = 'docs/certificates'

export const CERTIFIED: readonly Certified[] = [
  { title: 'In memory', stem: 'memory', url: 'memory://features', options: '', level: 'features' },
  {
    title: 'Redis',
    stem: 'bullmq-redis',
    url: 'redis://127.0.0.1:6379',
    own: 'redis',
    options: 'lockDuration=1500&stalledInterval=500',
    level: 'resilience',
  },
  {
    title: 'PostgreSQL',
    stem: 'bullmq-postgresql',
    url: 'postgres://127.0.0.1:5432/features',
    own: 'postgres',
    options: 'lockDuration=1500&stalledInterval=500',
    level: 'resilience',
  },
  {
    title: 'RabbitMQ',
    stem: 'rabbitmq',
    url: 'amqp://127.0.0.1:5672',
    own: 'rabbitmq',
    options: 'heartbeat=2000',
    level: 'resilience',
  },
  { title: 'NATS', stem: 'nats', url: 'nats://127.0.0.1:4222', own: 'nats', options: 'ackWait=1500', level: 'resilience' },
]

/** What a run of `jobport-torture --json` left. */
export interface Tortured {
  readonly server: string
  readonly minutes: number
  readonly rounds: readonly {
    readonly seed: number
    readonly accepted: number
    readonly duplicates: number
    readonly doubled: number
    readonly wrong: Readonly<Record<string, number>>
  }[]
}

/** Absent: there is none. */
export function certificateAt(stem: string): Certificate | undefined {
  return read(`${FOLDER}/${stem}.json`)
}

/** Absent: there is none. */
export function tortureAt(stem: string): Tortured | undefined {
  return read(`${FOLDER}/${stem}.torture.json`)
}

function read<T>(file: string): T | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T) : undefined
}
