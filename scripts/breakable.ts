import { corrupt as tearRedis } from '../packages/adapter-bullmq/test/corrupt.ts'
import { corrupt as tearNats } from '../packages/adapter-nats/test/corrupt.ts'
import { corrupt as tearRabbitMQ } from '../packages/adapter-rabbitmq/test/corrupt.ts'
import { memoryAt, openBroker as open, type BrokerName, type RunningBroker } from '@jobport/brokers'

/** Past the adapters. PostgreSQL itself keeps JSON from being torn. */
const CORRUPT: Partial<Record<BrokerName, (url: string, queue: string) => Promise<void>>> = {
  redis: tearRedis,
  rabbitmq: tearRabbitMQ,
  nats: tearNats,
}

const NAMES: Record<string, BrokerName> = {
  redis: 'redis',
  postgres: 'postgres',
  postgresql: 'postgres',
  amqp: 'rabbitmq',
  nats: 'nats',
}

/** While its disk is busy, `everysec` lets Redis answer up to two seconds before it writes: a kill then loses what was answered. */
const SETTINGS: Partial<Record<BrokerName, Readonly<Record<string, string>>>> = { redis: { appendfsync: 'always' } }

/** A broker of the kind that serves `url`, for the conformance suite to break. */
export async function openBroker(url: string, { disk }: { readonly disk?: number } = {}): Promise<RunningBroker> {
  const name = nameOf(url)
  // a Redis that must write before it answers exits when it cannot
  return open(name, disk === undefined ? { own: true, settings: SETTINGS[name] ?? {} } : { disk })
}

/** Whether a broker of that kind can be opened here. */
export function serves(url: string): boolean {
  return NAMES[schemeOf(url)] !== undefined
}

/** How to put a record into a queue of that broker that no adapter can read. Absent: nobody can. */
export function corruptOf(url: string): ((queue: string) => Promise<void>) | undefined {
  const { protocol, host } = new URL(url)
  const name = NAMES[schemeOf(url)]
  const corrupt = name && CORRUPT[name]
  return corrupt && ((queue) => corrupt(`${protocol}//${host}`, queue))
}

/** What that broker holds of this machine's memory, bytes. */
export function memoryOf(url: string): number | undefined {
  return memoryAt(Number(new URL(url).port))
}

function nameOf(url: string): BrokerName {
  const name = NAMES[schemeOf(url)]
  if (!name) throw new Error(`no broker of ours serves ${schemeOf(url)}: URLs`)
  return name
}

function schemeOf(url: string): string {
  return new URL(url).protocol.slice(0, -1)
}
