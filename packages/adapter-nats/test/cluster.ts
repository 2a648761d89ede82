import { freePort, openBroker, type RunningBroker } from '@jobport/brokers'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { eventually } from './trial.ts'

const SIZE = 3
const ELECTION = 30_000
const LOOK = 1_000

/** Three servers on this machine that are one. */
export class Cluster {
  readonly #nodes: readonly RunningBroker[]

  static async open(): Promise<Cluster> {
    const ports: number[] = []
    while (ports.length < SIZE) ports.push(await freePort())
    const routes = `[${ports.map((port) => `"nats://127.0.0.1:${port}"`).join(', ')}]`
    const node = (port: number, index: number): Promise<RunningBroker> =>
      openBroker('nats', {
        ways: ['local'],
        settings: {
          server_name: `node${index}`,
          'cluster.name': 'jobport',
          'cluster.listen': `127.0.0.1:${port}`,
          'cluster.routes': routes,
        },
      })
    const cluster = new Cluster(await Promise.all(ports.map(node)))
    await cluster.#ready()
    return cluster
  }

  private constructor(nodes: readonly RunningBroker[]) {
    this.#nodes = nodes
  }

  get servers(): string[] {
    return this.#nodes.map(({ url }) => url.replace('nats://', ''))
  }

  get url(): string {
    return `nats://${this.servers.join(',')}`
  }

  /** The server that leads a stream. */
  async leaderOf(stream: string): Promise<RunningBroker> {
    const connection = await connect({ servers: this.servers })
    try {
      const { cluster } = await (await jetstreamManager(connection)).streams.info(stream)
      return this.#named(cluster!.leader!)
    } finally {
      await connection.close()
    }
  }

  /** Resolves once others have been chosen to lead the stream and its consumer than who led the stream. */
  async elected(stream: string, consumer: string, former: RunningBroker): Promise<void> {
    const connection = await connect({ servers: this.servers })
    try {
      const manager = await jetstreamManager(connection, { checkAPI: false, timeout: LOOK })
      const isLed = async (): Promise<boolean> => {
        const found = [manager.streams.info(stream), manager.consumers.info(stream, consumer)]
        const leaders = (await Promise.all(found)).map(({ cluster }) => cluster?.leader)
        return leaders.every((name) => name && this.#named(name) !== former)
      }
      await eventually('an election', () => isLed().catch(() => false), undefined, ELECTION)
    } finally {
      await connection.close()
    }
  }

  #named(name: string): RunningBroker {
    return this.#nodes[Number(name.slice('node'.length))]!
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.close()))
  }

  /** Once they have chosen who leads them, and each of them knows it. */
  async #ready(): Promise<void> {
    await Promise.all(this.servers.map(isReady))
  }
}

async function isReady(servers: string): Promise<void> {
  const connection = await connect({ servers })
  const manager = await jetstreamManager(connection, { checkAPI: false })
  const name = `ready-${servers.replaceAll(/\W/g, '-')}`
  const made = (): Promise<boolean> =>
    manager.streams.add({ name, subjects: [name], num_replicas: SIZE }).then(
      () => true,
      () => false,
    )
  await eventually('the cluster', made, undefined, ELECTION)
  await manager.streams.delete(name)
  await connection.close()
}
