import { existsSync, readFileSync } from 'node:fs'
import type { BrokerName } from '@jobport/brokers'
import type { Certificate, Level } from '@jobport/conformance'

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
  /** The same for the torture, with room for what a busy machine costs. */
  readonly tortureOptions?: string
  /** Of the server that is opened for it. */
  readonly settings?: Readonly<Record<string, string>>
  /** What it must reach at least. */
  readonly level: Level
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
    tortureOptions: 'lockDuration=2000&stalledInterval=500',
    level: 'resilience',
  },
  {
    title: 'PostgreSQL',
    stem: 'bullmq-postgresql',
    url: 'postgres://127.0.0.1:5432/features',
    own: 'postgres',
    // with half a second of latency a renewal takes up to one and a half seconds, and its connection two to be made anew
    options: 'lockDuration=3000&stalledInterval=500',
    tortureOptions: 'lockDuration=2000&stalledInterval=500',
    level: 'resilience',
  },
  {
    title: 'RabbitMQ',
    stem: 'rabbitmq',
    url: 'amqp://127.0.0.1:5672',
    own: 'rabbitmq',
    options: 'heartbeat=2000',
    tortureOptions: 'heartbeat=2000',
    level: 'resilience',
  },
  {
    title: 'NATS',
    stem: 'nats',
    url: 'nats://127.0.0.1:4222',
    own: 'nats',
    // a million jobs want more than what is filled in a moment
    settings: { 'jetstream.max_file_store': '4GB' },
    options: 'ackWait=1500',
    tortureOptions: 'ackWait=2000',
    level: 'resilience',
  },
]

/** Absent: there is none. */
export function certificateAt(stem: string): Certificate | undefined {
  const file = `${FOLDER}/${stem}.json`
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Certificate) : undefined
}
