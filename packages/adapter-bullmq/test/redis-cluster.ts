import { freePort, openBroker, type RunningBroker } from '@jobport/brokers'
import { asking, infoOf, portOf } from './sentinels.ts'
import { eventually } from './trial.ts'

const MASTERS = 3
const SLOTS = 16_384
const FORMATION = 30_000

/** Three masters, each with a replica. */
export class RedisCluster {
  readonly #nodes: readonly RunningBroker[]

  static async open(): Promise<RedisCluster> {
    const nodes = await Promise.all(Array.from({ length: 2 * MASTERS }, open))
    const cluster = new RedisCluster(nodes)
    await cluster.#form()
    return cluster
  }

  private constructor(nodes: readonly RunningBroker[]) {
    this.#nodes = nodes
  }

  get hosts(): { host: string; port: number }[] {
    return this.#nodes.map((node) => ({ host: '127.0.0.1', port: portOf(node) }))
  }

  /** Serves all keys with this hash tag. */
  async masterOf(tag: string): Promise<RunningBroker> {
    const slot = Number(await asking(this.#nodes[0]!, (client) => client.cluster('KEYSLOT', tag)))
    return this.#nodes[Math.floor((slot * MASTERS) / SLOTS)]!
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.close()))
  }

  async #form(): Promise<void> {
    const masters = this.#nodes.slice(0, MASTERS)
    const edge = (i: number): number => Math.ceil((i * SLOTS) / MASTERS)
    for (const [i, master] of masters.entries())
      await asking(master, (client) => client.cluster('ADDSLOTSRANGE', edge(i), edge(i + 1) - 1))
    const [first, ...others] = this.#nodes
    const bus = await asking(first!, (client) => client.config('GET', 'cluster-port')).then((reply) => Number(reply[1]))
    for (const node of others)
      await asking(node, (client) => client.call('CLUSTER', 'MEET', '127.0.0.1', String(portOf(first!)), String(bus)))
    for (const node of this.#nodes) await eventually('the cluster', () => this.#knowsAll(node), undefined, FORMATION)
    for (const [i, master] of masters.entries()) {
      const id = await asking(master, (client) => client.cluster('MYID'))
      const replica = this.#nodes[MASTERS + i]!
      await eventually('a replica', () =>
        asking(replica, (client) => client.cluster('REPLICATE', id)).then(
          () => true,
          () => false,
        ),
      )
      await eventually('its copy', async () => (await infoOf(replica)).includes('master_link_status:up'), undefined, FORMATION)
    }
    for (const node of this.#nodes) await eventually('the cluster', () => this.#serves(node), undefined, FORMATION)
  }

  async #knowsAll(node: RunningBroker): Promise<boolean> {
    return (await clusterInfo(node)).includes(`cluster_known_nodes:${2 * MASTERS}`)
  }

  async #serves(node: RunningBroker): Promise<boolean> {
    return (await clusterInfo(node)).includes('cluster_state:ok')
  }
}

function clusterInfo(node: RunningBroker): Promise<string> {
  return asking(node, (client) => client.cluster('INFO'))
}

async function open(): Promise<RunningBroker> {
  const settings = {
    'cluster-enabled': 'yes',
    'cluster-config-file': 'nodes.conf',
    'cluster-node-timeout': '2000',
    'cluster-port': String(await freePort()),
  }
  return openBroker('redis', { own: true, ways: ['local'], settings })
}
