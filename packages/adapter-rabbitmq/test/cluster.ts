import { randomBytes } from 'node:crypto'
import { freePort, type RunningBroker } from '@jobport/brokers'
import { ManagedBroker } from './management.ts'
import { eventually } from './trial.ts'

const NODES = ['node0', 'node1', 'node2']
const FORMATION = 60_000

/** Three nodes on this machine that are one. */
export class Cluster {
  readonly #nodes: readonly ManagedBroker[]

  static async open(): Promise<Cluster> {
    const members = NODES.map((name, i) => [`cluster_formation.classic_config.nodes.${i + 1}`, `${name}@localhost`])
    const shared = {
      'node.cookie': randomBytes(12).toString('hex'),
      'node.epmd': String(await freePort()),
      'cluster_formation.peer_discovery_backend': 'classic_config',
      ...Object.fromEntries(members),
    }
    const nodes = await Promise.all(NODES.map((name) => ManagedBroker.open({ ...shared, 'node.name': name })))
    const cluster = new Cluster(nodes)
    await cluster.#ready()
    return cluster
  }

  private constructor(nodes: readonly ManagedBroker[]) {
    this.#nodes = nodes
  }

  get url(): string {
    return this.#nodes[0]!.url
  }

  get hosts(): { host: string; port: number }[] {
    return this.#nodes.map(({ url }) => ({ host: '127.0.0.1', port: Number(new URL(url).port) }))
  }

  /** The node that leads a quorum queue, and how many hold a copy. */
  async leaderOf(queue: string): Promise<{ leader: RunningBroker; replicas: number }> {
    const path = `queues/%2F/${encodeURIComponent(queue)}`
    const { leader, members } = await this.#nodes[0]!.get<{ leader: string; members: string[] }>(path)
    return { leader: this.#nodes[NODES.indexOf(leader.replace('@localhost', ''))]!.broker, replicas: members.length }
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.close()))
  }

  /** Once all know all. */
  async #ready(): Promise<void> {
    const complete = async (node: ManagedBroker): Promise<boolean> => {
      const nodes = await node.get<{ running: boolean }[]>('nodes').catch(() => [])
      return nodes.filter(({ running }) => running).length === NODES.length
    }
    for (const node of this.#nodes) await eventually('the cluster', () => complete(node), undefined, FORMATION)
  }
}
