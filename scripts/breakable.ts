import { openBroker as open, type BrokerName, type RunningBroker } from '@jobport/brokers'

const NAMES: Record<string, BrokerName> = {
  redis: 'redis',
  postgres: 'postgres',
  postgresql: 'postgres',
  amqp: 'rabbitmq',
  nats: 'nats',
}

/** A broker of the kind that serves `url`, for the conformance suite to break. */
export async function openBroker(url: string): Promise<RunningBroker> {
  const scheme = new URL(url).protocol.slice(0, -1)
  const name = NAMES[scheme]
  if (!name) throw new Error(`no broker of ours serves ${scheme}: URLs`)
  return open(name, { own: true })
}
