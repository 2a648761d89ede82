import { Redis } from 'ioredis'
import { openBroker, type RunningBroker } from '@jobport/brokers'
import { eventually } from './trial.ts'

export const MASTER = 'jobport'
const COUNT = 3
const FORMATION = 30_000

/** A Redis with a replica, and three Sentinels that watch them. */
export class Sentinels {
  readonly first: RunningBroker
  readonly second: RunningBroker
  readonly #sentinels: readonly RunningBroker[]

  static async open(): Promise<Sentinels> {
    const [first, second] = await Promise.all([open(), open()])
    await asking(second, (client) => client.replicaof('127.0.0.1', portOf(first)))
    await eventually('the copy', async () => (await infoOf(second)).includes('master_link_status:up'), undefined, FORMATION)
    const watching = { 'sentinel.monitor': `${MASTER} 127.0.0.1 ${portOf(first)} 2` }
    const patience = { 'sentinel.down-after-milliseconds': `${MASTER} 1000`, 'sentinel.failover-timeout': `${MASTER} 5000` }
    const watch = (): Promise<RunningBroker> => open({ ...watching, ...patience })
    const group = new Sentinels(first, second, await Promise.all(Array.from({ length: COUNT }, watch)))
    await group.#ready()
    return group
  }

  private constructor(first: RunningBroker, second: RunningBroker, sentinels: readonly RunningBroker[]) {
    this.first = first
    this.second = second
    this.#sentinels = sentinels
  }

  /** Where to ask. */
  get hosts(): { host: string; port: number }[] {
    return this.#sentinels.map((each) => ({ host: '127.0.0.1', port: portOf(each) }))
  }

  async close(): Promise<void> {
    await Promise.all([...this.#sentinels, this.first, this.second].map((each) => each.close()))
  }

  /** Once each of them knows the replica and the other two. */
  async #ready(): Promise<void> {
    const sees = `slaves=1,sentinels=${COUNT}`
    for (const each of this.#sentinels)
      await eventually('the Sentinels', async () => (await infoOf(each)).includes(sees), undefined, FORMATION)
  }
}

export async function infoOf(broker: RunningBroker): Promise<string> {
  return asking(broker, (client) => client.info())
}

/** With a client of its own. */
export async function asking<T>(broker: RunningBroker, question: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(broker.url, { lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: () => null })
  client.on('error', () => {})
  try {
    await client.connect()
    return await question(client)
  } finally {
    client.disconnect()
  }
}

export function portOf({ url }: RunningBroker): number {
  return Number(new URL(url).port)
}

function open(settings: Readonly<Record<string, string>> = {}): Promise<RunningBroker> {
  return openBroker('redis', { own: true, ways: ['local'], settings })
}
