import { openBroker as open, type BrokerName, type RunningBroker } from '@jobport/brokers'

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
export async function openBroker(url: string): Promise<RunningBroker> {
  const scheme = new URL(url).protocol.slice(0, -1)
  const name = NAMES[scheme]
  if (!name) throw new Error(`no broker of ours serves ${scheme}: URLs`)
  return open(name, { own: true, settings: SETTINGS[name] ?? {} })
}
